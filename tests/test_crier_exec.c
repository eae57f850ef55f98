/* crier sub --exec against the real crierd. */
#include <config.h>

#include "support/command.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crierd crierd;
static char state[64]; /* a path for --state */

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

START_TEST(a_signal_waits_for_the_command)
{
    struct command command;
    char fifo[64], script[160];
    FILE *file;

    put_numbers(1, 2);
    snprintf(fifo, sizeof fifo, "%s/fifo", scratch);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    snprintf(script, sizeof script, "echo begun; read x <%s; echo ended",
             fifo);
    command_start(&command, 0,
                  WORDS("sub", "n", "--since=all", "--state", state, "--exec",
                        "sh", "-c", script));
    output_wait(&command.out, "begun\n");
    ck_assert_int_eq(kill(command.pid, SIGTERM), 0);
    file = fopen(fifo, "w");
    fputs("go\n", file);
    fclose(file);
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "begun\nended\n");
    command_done(&command);
    /* one that is for both, as Ctrl-C on a terminal */
    command_expect(0, "", "", NULL,
                   WORDS("sub", "n", "--state", state, "--exec", "sh", "-c",
                         "kill -INT $PPID; kill -INT $$"));
    command_expect(0, "", "sh ended with status 130\n", NULL,
                   WORDS("sub", "n", "--state", state, "--exec", "sh", "-c",
                         "kill -INT $PPID; exit 130"));
    command_expect(0, "2\n", "", NULL,
                   WORDS("sub", "n", "--once", "--state", state));
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
    tcase_add_test(c, a_signal_waits_for_the_command);
    tcase_add_test(c, an_ignored_child_has_a_status);
    return s;
}

RUN_SUITE(suite)
