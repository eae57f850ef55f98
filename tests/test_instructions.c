/*
 * Counts the instructions of a delivery, a publish and a ping, and compares them with
 * tests/instructions.txt. Unlike a time, a count does not depend on what else runs on
 * the machine, so an increase of a few percent is a fault and shows at once.
 *
 * Valgrind's callgrind counts the user-space instructions of the server, on all its
 * threads, without its log lines. The server is a real one; its clients are connections
 * of this process, outside of valgrind. The test counts two windows of different size
 * and divides the difference by that of their sizes, so that work done once cancels
 * out. A window ends when GET /healthz makes the server call health_get(): there
 * callgrind writes its counts and starts at zero.
 *
 * Each turn begins when the last one is complete at all clients, so threads do the same
 * in the same order each time. Two things still differ: how far malloc() has to search,
 * and how much the heap of timers has to move; that is up to 2 percent where there is
 * much of both. And pings may fall into the next window if the machine stops for a
 * second. So a count that is too high is repeated, twice: a real increase stays.
 *
 * The counts exclude the kernel, and reading the clock looks cheap because under
 * valgrind it is a system call: bench/ measures time.
 *
 * Other compilers, flags and libraries give other counts. The file names those of its
 * counts; the test is skipped with others, and with sanitizers.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The flags that configure chooses. */
#define FLAGS "-g -O2"

/* Selects the string functions for any x86-64, whatever this CPU can do. (Each byte of
 * "rep stosb" would count as an instruction.) */
#define TUNABLES                                                              \
    "glibc.cpu.hwcaps=-AVX2,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,"  \
    "-SSSE3,-SSE4_1,-SSE4_2"

#define LINE 256 /* of the file */

#define OPTIONS "--threads 1 --retain-count 200 "
#define NO_PINGS "--ping-interval 24h"

#define FEW 100
#define MANY 800
#define AT_A_TIME 10 /* subscribers of a topic */
#define IN_FLIGHT 64
#define BULK 1000
#define TRIES 3 /* odd */

static struct crierd server;
static struct client asking;      /* ends the windows */
static struct client publisher;   /* publishes only, so it gets a pipeline */
static struct client heard[MANY]; /* those who listen */
static size_t listening, topics;
static unsigned windows;
static char update[101];

/* ---- the server ------------------------------------------------------- */

/* Starts PROGRAM, or crierd if that is NULL. */
static void start(const char *program, const char *options)
{
    char *wrapper;

    scratch_make();
    ck_assert_int_gt(asprintf(&wrapper,
                              "valgrind -q --tool=callgrind "
                              "--callgrind-out-file=%s/counts "
                              "--dump-before=health_get --toggle-collect=log_line "
                              "--toggle-collect=log_access "
                              "--collect-atstart=yes",
                              scratch),
                     0);
    setenv("CRIERD_WRAPPER", wrapper, 1);
    setenv("GLIBC_TUNABLES", TUNABLES, 1);
    if (program != NULL)
        setenv("CRIERD", program, 1);
    free(wrapper);
    crierd_start(&server, options);
    client_connect(&asking, server.port);
    client_connect(&publisher, server.port);
    memset(update, 'x', sizeof update - 1);
    windows = 0;
}

static void stop(void)
{
    while (listening != 0)
        client_reset(&heard[--listening]);
    client_close(&asking);
    client_close(&publisher);
    crierd_stop(&server);
    scratch_remove();
}

static void get(const char *target)
{
    ck_assert_int_eq(client_request(&asking, "GET", target, "", NULL), 200);
    free(client_body(&asking));
}

static void post(const char *target, const char *headers, const char *body)
{
    ck_assert_int_eq(client_request(&publisher, "POST", target, headers, body),
                     200);
    free(client_body(&publisher));
}

/* Ends a window; returns the number of instructions in it. */
static double count(void)
{
    char path[64], line[256];
    unsigned long long counted = 0;
    FILE *file;

    get("/healthz");
    snprintf(path, sizeof path, "%s/counts.%u", scratch, ++windows);
    file = fopen(path, "re");
    ck_assert_msg(file != NULL, "callgrind has not seen health_get()");
    while (fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "totals: %llu", &counted);
    fclose(file);
    ck_assert_msg(counted != 0, "no totals in callgrind's file");
    return (double)counted;
}

static double count_of(void (*turn)(void), unsigned turns)
{
    (void)count();
    while (turns-- != 0)
        turn();
    return count();
}

/* Returns the instructions of each TURN, from TURNS and twice as many turns. */
static double per_turn(void (*turn)(void), unsigned turns)
{
    double once;

    turn();
    once = count_of(turn, turns);
    return (count_of(turn, 2 * turns) - once) / turns;
}

/* ---- who listens ------------------------------------------------------ */

/* Makes UP_TO clients subscribe to TARGET followed by the number of a topic. */
static void listen_to(const char *target, size_t up_to)
{
    size_t i;

    for (i = listening; i < up_to; i++) {
        client_connect(&heard[i], server.port);
        client_send(&heard[i],
                    "GET %s%zu HTTP/1.1\r\nHost: localhost\r\n\r\n", target,
                    i % topics);
    }
    for (; listening < up_to; listening++)
        ck_assert_int_eq(client_head(&heard[listening]), 200);
}

/* Waits until all subscribers of TOPIC have the next update. */
static void expect_update(size_t topic)
{
    size_t i;

    for (i = topic; i < listening; i += topics)
        free(client_until(&heard[i], update));
}

/* Returns the instructions of each delivery of a TURN that sends one frame to all. */
static double per_delivery(const char *target, void (*turn)(void))
{
    const unsigned turns = 10;
    double few, many;

    topics = 1;
    listen_to(target, FEW);
    turn();
    few = count_of(turn, turns);
    listen_to(target, MANY);
    turn();
    many = count_of(turn, turns);
    return (many - few) / turns / (MANY - FEW);
}

/* ---- the figures ------------------------------------------------------ */

static void turn_broadcast(void)
{
    get("/send");
    expect_update(0);
}

static double broadcast(void)
{
    start(getenv("INSTRUCTIONS_SITE"), "");
    return per_delivery("/", turn_broadcast);
}

/* Publishes an update to each topic, each one when the last has arrived. */
static void turn_topics(void)
{
    char target[32];
    size_t i;

    for (i = 0; i < topics; i++) {
        snprintf(target, sizeof target, "/topics/%zu", i);
        post(target, "", update);
        expect_update(i);
    }
}

static double followed(void)
{
    start(NULL, OPTIONS NO_PINGS);
    return per_delivery("/topics/", turn_topics);
}

static double targeted(void)
{
    start(NULL, OPTIONS NO_PINGS);
    topics = MANY / AT_A_TIME;
    listen_to("/topics/", MANY);
    return per_turn(turn_topics, 4) / MANY;
}

/* Sends IN_FLIGHT requests at once, pipelined. */
static void turn_publish(void)
{
    char *requests;
    size_t length, i;
    FILE *to = open_memstream(&requests, &length);

    for (i = 0; i < IN_FLIGHT; i++)
        fprintf(to,
                "POST /topics/bench-0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                strlen(update), update);
    fclose(to);
    client_send_bytes(&publisher, requests, length);
    for (i = 0; i < IN_FLIGHT; i++) {
        ck_assert_int_eq(client_head(&publisher), 200);
        free(client_body(&publisher));
    }
    free(requests);
}

static double publish(void)
{
    start(NULL, OPTIONS NO_PINGS);
    return per_turn(turn_publish, 12) / IN_FLIGHT;
}

static void turn_bulk(void)
{
    char *body;
    size_t length, i;
    FILE *to = open_memstream(&body, &length);

    for (i = 0; i < BULK; i++)
        fprintf(to, "data: %s\n\n", update);
    fclose(to);
    post("/topics/bench-0", "Content-Type: text/event-stream\r\n", body);
    free(body);
}

static double bulk(void)
{
    start(NULL, OPTIONS NO_PINGS);
    return per_turn(turn_bulk, 4) / BULK;
}

static void turn_ping(void)
{
    size_t i;

    for (i = 0; i < listening; i++)
        client_expect_line(&heard[i], ":");
}

/* An update restarts the ping interval of all clients at the same moment. So their
 * pings come together, and the checks of the peers come long after, but before the
 * next. */
static double ping(void)
{
    start(NULL, OPTIONS "--ping-interval 1400ms");
    topics = 1;
    listen_to("/topics/", MANY);
    turn_topics();
    return per_turn(turn_ping, 1) / MANY;
}

static const struct {
    const char *name;
    double (*measure)(void);
} figures[] = {
    {"broadcast", broadcast}, {"followed", followed}, {"targeted", targeted},
    {"publish", publish},     {"bulk", bulk},         {"ping", ping},
};

/* ---- the file --------------------------------------------------------- */

/* Whether LINE begins with NAME and a space. */
static bool is_of(const char *line, const char *name)
{
    size_t length = strlen(name);

    return strncmp(line, name, length) == 0 && line[length] == ' ';
}

/* Returns the value of NAME in the file. */
static bool look_up(const char *name, char value[LINE])
{
    const char *path = getenv("INSTRUCTIONS");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    char line[LINE];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = is_of(line, name);
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    if (found)
        snprintf(value, LINE, "%s", line + strlen(name) + 1);
    return found;
}

/* Sets the value of NAME in the file. */
static void put_down(const char *name, const char *value)
{
    const char *path = getenv("INSTRUCTIONS");
    FILE *file = fopen(path, "re"), *to;
    char line[LINE], *text;
    size_t length;

    ck_assert_ptr_nonnull(file);
    to = open_memstream(&text, &length);
    while (fgets(line, sizeof line, file) != NULL)
        if (is_of(line, name))
            fprintf(to, "%s %s\n", name, value);
        else
            fputs(line, to);
    fclose(file);
    fclose(to);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    free(text);
}

/* ---- the test --------------------------------------------------------- */

/* Describes the compiler, flags and libraries of the counts. */
static void describe_build(char text[LINE])
{
    struct utsname system = {.machine = ""};

    (void)uname(&system);
    snprintf(text, LINE,
             "%.32s, " COMPILER ", glibc %d.%d, libmicrohttpd %s, jansson %s",
             system.machine, __GLIBC__, __GLIBC_MINOR__, MHD_get_version(),
             JANSSON_VERSION);
}

static bool renewing(void)
{
    return getenv("INSTRUCTIONS_RENEW") != NULL;
}

/* Returns why the counts cannot be compared here, or NULL. */
static const char *why_not(void)
{
    static char reason[3 * LINE];
    const char *flags = getenv("BUILD_FLAGS");
    char built[LINE], judged[LINE] = "nothing";

    if (flags == NULL)
        return "BUILD_FLAGS is not set: run make check";
    flags += strspn(flags, " ");
    describe_build(built);
    if (strcmp(flags, FLAGS) != 0)
        snprintf(reason, sizeof reason,
                 "instructions are counted in a build with " FLAGS
                 " and no sanitizer; here it is %.200s",
                 flags);
    else if (!renewing() &&
             (!look_up("build", judged) || strcmp(judged, built) != 0))
        snprintf(reason, sizeof reason,
                 "the counts are those of %s; here it is %s", judged, built);
    else if (system("valgrind --version >/dev/null 2>&1") != 0)
        return "valgrind is not installed";
    else
        return NULL;
    return reason;
}

static double measure(const char *name, double (*how)(void))
{
    double counted = how();

    stop();
    printf("%s: %.1f\n", name, counted);
    fflush(stdout); /* a failure would take it along */
    return counted;
}

/* Measures up to TRIES times, until the count is at most MOST. */
static double measure_to(const char *name, double (*how)(void), double most)
{
    double counted = measure(name, how);
    int i;

    for (i = 1; i < TRIES && counted > most; i++)
        counted = measure(name, how);
    return counted;
}

static int compare(const void *one, const void *other)
{
    const double *a = one, *b = other;

    return (*a > *b) - (*a < *b);
}

static void renew(const char *name, double (*how)(void), double percent)
{
    double counted[TRIES];
    char value[LINE];
    int i;

    for (i = 0; i < TRIES; i++)
        counted[i] = measure(name, how);
    qsort(counted, TRIES, sizeof counted[0], compare);
    snprintf(value, sizeof value, "%.0f %g", counted[TRIES / 2], percent);
    put_down(name, value);
    describe_build(value);
    put_down("build", value);
}

START_TEST(test_count)
{
    const char *name = figures[_i].name;
    double counted, usual, percent;
    char value[LINE];

    ck_assert_msg(look_up(name, value) &&
                      sscanf(value, "%lf %lf", &usual, &percent) == 2,
                  "nothing is said of %s", name);
    if (renewing()) {
        renew(name, figures[_i].measure, percent);
        return;
    }
    counted = measure_to(name, figures[_i].measure,
                         usual * (1 + percent / 100));
    ck_assert_msg(counted <= usual * (1 + percent / 100),
                  "%s: %.0f instructions are %.1f %% more than %.0f; if that "
                  "is meant to be: make instructions-renew",
                  name, counted, counted / usual * 100 - 100, usual);
    if (counted < usual * (1 - percent / 100))
        printf("NOTE: %s: %.0f instructions are %.1f %% less than %.0f: make "
               "instructions-renew\n",
               name, counted, 100 - counted / usual * 100, usual);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("instructions");
    TCase *tcase = add_case(suite, "instructions");

    tcase_add_loop_test(tcase, test_count, 0,
                        sizeof figures / sizeof *figures);
    return suite;
}

RUN_SUITE_IF(make_suite, why_not() == NULL, why_not())
