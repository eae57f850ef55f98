/*
 * How many instructions a delivery, a publish and a ping take, held against
 * tests/instructions.txt. A count does not depend on what else the machine
 * does, as a time would: so a few percent more are a fault, and seen at once.
 *
 * Valgrind's callgrind counts what the server does in user space, on all its
 * threads, but for its lines in the log. The server is a real one, and the
 * clients are real connections from here, outside of valgrind. Two windows of
 * different size are counted, and the difference is divided by that of their
 * sizes: so what is done once falls out. A window ends where GET /healthz
 * makes the server call health_get(): there callgrind writes down what it has
 * counted, and begins anew.
 *
 * Each turn begins when the last has come to its end with all clients, so
 * threads do the same in the same order each time. What still differs is how
 * far malloc() has to search, and what the heap of timers has to move: up to 2
 * percent where there is much of that. And pings may slip into the next window
 * where the machine stands still for a second. So what is too much is counted
 * again, twice: an instruction too many is there each time.
 *
 * What the kernel does is not in it, and reading the clock looks cheap, since
 * it is the kernel's under valgrind: for time there is bench/.
 *
 * Other compilers, flags and libraries make other counts. The file says for
 * what its counts are; elsewhere, and above all with sanitizers, the test is
 * skipped.
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

/* What configure chooses. */
#define FLAGS "-g -O2"

/* The string functions for any x86-64, whatever this one can do. (And of "rep
 * stosb" each byte would count as an instruction.) */
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
static struct client publisher;   /* does only that, so it gets a lane */
static struct client heard[MANY]; /* those who listen */
static size_t listening, topics;
static unsigned windows;
static char update[101];

/* ---- the server ------------------------------------------------------- */

/* Starts PROGRAM, or crierd when that is NULL. */
static void start(const char *program, const char *options)
{
    char *wrapper;

    scratch_make();
    ck_assert_int_gt(asprintf(&wrapper,
                              "valgrind -q --tool=callgrind "
                              "--callgrind-out-file=%s/counts "
                              "--dump-before=health_get --toggle-collect=log_line "
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

/* Ends a window. How many instructions were in it. */
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

/* What each TURN takes: TURNS of them, and twice as many. */
static double per_turn(void (*turn)(void), unsigned turns)
{
    double once;

    turn();
    once = count_of(turn, turns);
    return (count_of(turn, 2 * turns) - once) / turns;
}

/* ---- who listens ------------------------------------------------------ */

/* Has UP_TO listen to TARGET with the number of a topic behind it. */
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

/* Waits until all who listen to TOPIC have the next update. */
static void expect_update(size_t topic)
{
    size_t i;

    for (i = topic; i < listening; i += topics)
        free(client_until(&heard[i], update));
}

/* What each delivery of a TURN takes that sends one frame to all. */
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

/* An update to each topic, the next one when the last has come. */
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

/* IN_FLIGHT requests at once, one behind the other. */
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

/* An update makes them all wait from the same moment on. So their pings come
 * together, and long after, but before the next, the checks on the peers. */
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

/* Finds what the file says of NAME. */
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

/* Has the file say VALUE of NAME from here on. */
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

/* What the counts are those of. */
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

/* Why nothing can be judged here, or NULL. */
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

/* Measures up to TRIES times, until it is not more than MOST. */
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
