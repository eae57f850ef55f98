/* crier sub --exec against the real crierd. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/command.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crierd crierd;
static char state[64]; /* a path for --state */
static char fifo[64];

static void setup(void)
{
    scratch_make();
    snprintf(state, sizeof state, "%s/state", scratch);
    crierd_start(&crierd, "");
    topics_port = crierd.port;
    command_environment(crierd.port);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

/* Publishes the numbers FROM to TO to the topic n. */
static void put_numbers(int from, int to)
{
    char target[32], body[16];

    for (; from <= to; from++) {
        snprintf(target, sizeof target, "/topics/n?id=%d", from);
        snprintf(body, sizeof body, "%d", from);
        topics_put(target, body);
    }
}

START_TEST(a_command_gets_the_event)
{
    static const char script[] =
        "printf '%s|%s|%s|%s|' \"$CRIER_ID\" \"$CRIER_EVENT\" "
        "\"$CRIER_TOPIC\" \"$CRIER_DATA\"; cat; echo";

    setenv("CRIER_DATA", "not this", 1);
    topics_put("/topics/n?id=1", "a b\n$(c) 'd' é");
    topics_put("/topics/n,m?id=2&event=e", "");
    command_expect(0,
                   "1|message|n|a b\n$(c) 'd' é|a b\n$(c) 'd' é\n"
                   "2|e|n,m||\n",
                   "", NULL,
                   WORDS("sub", "n", "--once", "--exec", "sh", "-c", script));
    command_expect(
        0, "1 -v --json --\n1 -v --json --\n", "", NULL,
        WORDS("sub", "--once", "n", "--exec=echo", "1", "-v", "--json", "--"));
}
END_TEST

START_TEST(large_data_come_on_stdin_alone)
{
    char *large = malloc(300001);

    memset(large, 'x', 300000);
    large[300000] = '\0';
    setenv("CRIER_DATA", "not this", 1);
    topics_put("/topics/n", large);
    command_expect(0, "none 300000\n", "", NULL,
                   WORDS("sub", "n", "--once", "--exec", "sh", "-c",
                         "echo ${CRIER_DATA-none} $(wc -c)"));
    /* who does not read it does not stop anything */
    command_expect(0, "", "", NULL,
                   WORDS("sub", "n", "--once", "--exec", "true"));
    free(large);
}
END_TEST

START_TEST(a_failure_ends_it_and_comes_again)
{
    put_numbers(1, 5);
    command_expect(4, "1\n2\n3\n", "crier: sh ended with status 7\n", NULL,
                   WORDS("sub", "n", "--since=all", "--state", state, "--exec",
                         "sh", "-c",
                         "echo $CRIER_DATA; [ $CRIER_DATA != 3 ] || exit 7"));
    command_expect(4, "", "sh was killed by signal 9", NULL,
                   WORDS("sub", "n", "--state", state, "--exec", "sh", "-c",
                         "kill -KILL $$"));
    command_expect(4, "", "cannot run '/no/such': No such file", NULL,
                   WORDS("sub", "n", "--state", state, "--exec", "/no/such"));
    command_expect(0, "3\n4\n5\n", "", NULL,
                   WORDS("sub", "n", "--once", "--state", state));
}
END_TEST

START_TEST(a_command_has_nothing_of_criers)
{
    struct command command;
    char path[64], text[8];
    int kept;

    put_numbers(1, 1);
    snprintf(path, sizeof path, "%s/kept", scratch);
    kept = open(path, O_RDWR | O_CREAT, 0600); /* is inherited */
    ck_assert_int_eq(dup2(kept, 99), 99);
    ck_assert_int_eq(
        command_run(&command, NULL,
                    WORDS("sub", "n", "--once", "--state", state, "--exec",
                          "sh", "-c",
                          "ls -l /proc/self/fd; echo kept >/proc/self/fd/99")),
        0);
    ck_assert_ptr_nonnull(strstr(command.out.text, "memfd:event"));
    ck_assert_msg(strstr(command.out.text, "socket:") == NULL &&
                      strstr(command.out.text, "anon_inode") == NULL &&
                      strstr(command.out.text, "state") == NULL,
                  "%s", command.out.text);
    command_done(&command);
    ck_assert_int_eq(pread(kept, text, sizeof text, 0), 5);
    ck_assert_mem_eq(text, "kept\n", 5);
    close(kept);
    close(99);
    command_expect(0, "SigBlk:\t0000000000000000\n", "", NULL,
                   WORDS("sub", "n", "--once", "--exec", "grep", "SigBlk",
                         "/proc/self/status"));
    command_expect(
        4, "", "sh was killed by signal 13", NULL,
        WORDS("sub", "n", "--once", "--exec", "sh", "-c", "kill -PIPE $$"));
    command_expect(
        4, "", "sh was killed by signal 25", NULL,
        WORDS("sub", "n", "--once", "--exec", "sh", "-c", "kill -XFSZ $$"));
}
END_TEST

/* Runs SCRIPT for each event of the topic n, with FIFO as $1, and waits until it has
 * printed "begun". */
static void begin(struct command *command, int files, const char *script)
{
    put_numbers(1, 2);
    snprintf(fifo, sizeof fifo, "%s/fifo", scratch);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    command_start(command, files,
                  WORDS("sub", "n", "--since=all", "--state", state, "--exec",
                        "sh", "-c", script, "sh", fifo));
    output_wait(&command->out, "begun\n");
}

/* Lets the script go that reads its fifo, once it does. */
static void let_go(void)
{
    const uint64_t until = crier_now() + PATIENCE;
    int fd;

    while ((fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        ck_assert_int_eq(errno, ENXIO);
        ck_assert_uint_lt(crier_now(), until);
        sched_yield();
    }
    close(fd);
}

/* Fails unless the events from FROM on are still to come. */
static void check_left(const char *from)
{
    command_expect(0, from, "", NULL,
                   WORDS("sub", "n", "--once", "--state", state, "--since",
                         "all"));
}

START_TEST(a_signal_reaches_the_command)
{
    static const struct {
        const char *script, *says, *left;
        int signal;
    } cases[] = {
        {"trap 'echo end; exit 3' TERM; cat $1 & echo begun; wait",
         "crier: sh ended with status 3\n", "1\n2\n", SIGTERM},
        {"trap 'echo end; exit 0' HUP; cat $1 & echo begun; wait", "", "2\n",
         SIGHUP},
    };
    struct command command;

    begin(&command, 0, cases[_i].script);
    ck_assert_int_eq(kill(command.pid, cases[_i].signal), 0);
    output_wait(&command.out, "end\n");
    let_go();
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "begun\nend\n");
    ck_assert_str_eq(command.err.text, cases[_i].says);
    command_done(&command);
    check_left(cases[_i].left);
}
END_TEST

/* A command that does as it likes is waited for until the second one. */
START_TEST(a_second_signal_ends_the_wait)
{
    struct command command;

    begin(&command, 0,
          "trap 'echo got' TERM; cat $1 & echo begun; wait; wait; wait; "
          "echo end");
    ck_assert_int_eq(kill(command.pid, SIGTERM), 0);
    output_wait(&command.out, "got\n");
    ck_assert_int_eq(kill(command.pid, SIGTERM), 0);
    command_wait_end(&command);
    let_go();
    ck_assert_int_eq(command_wait(&command), 4);
    ck_assert_str_eq(command.out.text, "begun\ngot\ngot\nend\n");
    ck_assert_str_eq(command.err.text,
                     "crier: sh is still running; not waiting for it\n");
    command_done(&command);
    check_left("1\n2\n");
}
END_TEST

/* Ctrl-C on a terminal is for all that run there, so crier need not pass it on. */
START_TEST(a_terminals_signal_comes_once)
{
    const char *wrapper = getenv("CRIERD_WRAPPER");
    struct command command;
    char all[512];

    snprintf(all, sizeof all, "setsid -c %s", wrapper != NULL ? wrapper : "");
    setenv("CRIERD_WRAPPER", all, 1);
    begin(&command, COMMAND_IN_TERMINAL,
          "trap '' INT; cat $1 & trap 'echo got' INT; echo begun; "
          "wait; wait; echo end");
    /* crier only gets it when the command has done with it */
    ck_assert_int_eq(kill(command.pid, SIGSTOP), 0);
    command_write(&command, "\003");
    output_wait(&command.out, "got\n");
    ck_assert_int_eq(kill(command.pid, SIGCONT), 0);
    command_wait_taken(&command);
    let_go();
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "begun\ngot\nend\n");
    command_done(&command);
}
END_TEST

/* How the command ends after a signal does not matter to crier's status. */
START_TEST(a_signal_ends_crier_well)
{
    put_numbers(1, 2);
    command_expect(0, "", "", NULL,
                   WORDS("sub", "n", "--since=all", "--state", state, "--exec",
                         "sh", "-c", "kill -INT $PPID; while :; do :; done"));
    check_left("1\n2\n");
}
END_TEST

START_TEST(an_ignored_child_has_a_status)
{
    struct command command;

    signal(SIGCHLD, SIG_IGN); /* crier inherits it */
    command_start(&command, 0,
                  WORDS("sub", "n", "--since=all", "--count=2", "--exec",
                        "sh", "-c", "echo $CRIER_DATA"));
    signal(SIGCHLD, SIG_DFL);
    put_numbers(1, 2);
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "1\n2\n");
    ck_assert_str_eq(command.err.text, "");
    command_done(&command);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier sub --exec");
    TCase *c = add_case(s, "exec");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_command_gets_the_event);
    tcase_add_test(c, large_data_come_on_stdin_alone);
    tcase_add_test(c, a_failure_ends_it_and_comes_again);
    tcase_add_test(c, a_command_has_nothing_of_criers);
    tcase_add_loop_test(c, a_signal_reaches_the_command, 0, 2);
    tcase_add_test(c, a_second_signal_ends_the_wait);
    tcase_add_test(c, a_terminals_signal_comes_once);
    tcase_add_test(c, a_signal_ends_crier_well);
    tcase_add_test(c, an_ignored_child_has_a_status);
    return s;
}

RUN_SUITE(suite)
