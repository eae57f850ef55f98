/* JSON that is nested deep, and the stacks of the threads that read it. */
#include <config.h>

#include "base/json_read.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "base/thread.h"

#include <string.h>
#include <sys/resource.h>

/* What musl gives to a thread, and `ulimit -s 128` to one of glibc. */
#define SMALL_STACK ((size_t)128 * 1024)

static struct crierd crierd;

/* ---- a text ------------------------------------------------------------- */

/* How a level is opened and closed. */
static const struct {
    const char *open, *close;
} levels[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[{\"b\":1},", "]"}};

#define LEVELS ((int)(sizeof levels / sizeof levels[0]))

/* DEPTH levels of the kind WHICH around "x"; to be freed. */
static char *nested(int which, int depth, const char *x)
{
    size_t level = strlen(levels[which].open) + strlen(levels[which].close);
    char *text = malloc((size_t)depth * level + strlen(x) + 1), *at = text;
    int i;

    for (i = 0; i < depth; i++)
        at = stpcpy(at, levels[which].open);
    at = stpcpy(at, x);
    for (i = 0; i < depth; i++)
        at = stpcpy(at, levels[which].close);
    return text;
}

/* ---- json_read() -------------------------------------------------------- */

/* Whether json_read() reads TEXT as jansson does. */
static void check_reads(const char *text)
{
    json_t *value = json_read(text, strlen(text), JSON_DECODE_ANY, NULL);
    json_t *right = json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(json_equal(value, right) || value == right, "%.60s", text);
    json_decref(value);
    json_decref(right);
}

START_TEST(brackets_in_strings_do_not_count)
{
    char many[1000];

    memset(many, '[', sizeof many);
    memcpy(many, "[\"\\\"\\\\", 6);
    strcpy(many + sizeof many - 3, "\"]");
    check_reads(many);
    memcpy(many, "{\"", 2);
    strcpy(many + sizeof many - 5, "\":1}");
    check_reads(many);
}
END_TEST

START_TEST(what_is_no_json)
{
    static const char *const texts[] = {"",    "]",    "[",       "[}", "\"[",
                                        "\\[", "[\"\\", "]]]][[[[", "[1]]"};
    size_t i;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_reads(texts[i]);
}
END_TEST

/* The last bracket that may be open, and one more. */
START_TEST(the_limit)
{
    char *text = nested(_i, JSON_DEPTH_MAX - (_i == 2), "1");
    json_error_t wrong;

    check_reads(text);
    free(text);
    text = nested(_i, JSON_DEPTH_MAX + 1, "1");
    ck_assert_ptr_null(json_read(text, strlen(text), 0, &wrong));
    ck_assert_int_eq(json_error_code(&wrong), json_error_stack_overflow);
    ck_assert_str_eq(wrong.text,
                     "arrays and objects are nested more than 128 deep");
    ck_assert_ptr_null(json_read(text, strlen(text), 0, NULL));
    free(text);
}
END_TEST

/* ---- a stack ------------------------------------------------------------ */

/* Reads, writes and frees the deepest of all values. */
static void *recurse(void *closure)
{
    char *text = nested(*(int *)closure, JSON_DEPTH_MAX - 1, "1.5"), *again;
    json_t *value = json_read(text, strlen(text), 0, NULL);
    json_t *copy = json_deep_copy(value);

    ck_assert_ptr_nonnull(value);
    ck_assert(json_equal(value, copy));
    again = json_dumps(value, JSON_INDENT(2));
    ck_assert_ptr_nonnull(again);
    json_decref(copy);
    json_decref(value);
    free(again);
    free(text);
    return NULL;
}

/* Checks that it needs at most a quarter of the stack of our threads; so a program may
 * call libcrier from a thread with a small stack. */
START_TEST(a_small_stack_will_do)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int which = _i;

    ck_assert_uint_ge(CRIER__THREAD_STACK, 4 * SMALL_STACK);
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, recurse, &which), 0);
    pthread_attr_destroy(&attributes);
    pthread_join(thread, NULL);
}
END_TEST

/* ---- crierd ------------------------------------------------------------- */

static void setup(void)
{
    const struct rlimit limit = {SMALL_STACK, SMALL_STACK};

    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
    crierd_start(&crierd, "--threads 2");
}

static void teardown(void)
{
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL),
                     200);
    crierd_stop(&crierd);
}

/* The readers of a body: a pipeline, and libmicrohttpd. */
static const char *const headers[] = {
    "Content-Type: application/json\r\n",
    "Content-Type: application/json\r\nX-Odd: \r\nCookie: a=b\r\n",
};

#define HEADERS ((int)(sizeof headers / sizeof headers[0]))

/* Posts BODY and frees it; fails unless the response has STATUS and, if that is 400,
 * names the limit. */
static void post(const char *target, const char *header, char *body, int status)
{
    char *answer;

    ck_assert_int_eq(
        fetch(crierd.port, "POST", target, header, body, &answer), status);
    if (status == 400)
        ck_assert_msg(strstr(answer, "more than 128 deep") != NULL, "%s",
                      answer);
    free(answer);
    free(body);
}

START_TEST(bodies)
{
    const char *header = headers[_i % HEADERS];
    int which = _i / HEADERS;

    post("/topics/x", header, nested(which, JSON_DEPTH_MAX - 1, "1"), 200);
    post("/topics/x", header, nested(which, JSON_DEPTH_MAX + 1, "1"), 400);
    post("/topics/x", header, nested(which, 2040, "1"), 400);
    post("/topics/x", header, nested(which, 60000, "1"), 400);
    /* text may look as it likes */
    post("/topics/x", "Content-Type: text/plain\r\n", nested(which, 2040, "1"),
         200);
}
END_TEST

/* The chat reads two members, and the others as well. */
START_TEST(chat)
{
    static const char begin[] = "{\"user\":\"ada\",\"text\":\"hi\",\"more\":";
    static const int depths[] = {JSON_DEPTH_MAX - 2, 2040};
    char *more, *body;
    int i;

    for (i = 0; i < 2; i++) {
        more = nested(_i, depths[i], "1");
        ck_assert_int_gt(asprintf(&body, "%s%s}", begin, more), 0);
        post("/chat", "", body, i == 0 ? 200 : 400);
        free(more);
    }
}
END_TEST

/* How many mappings of crierd are a stack of ours, and how many threads it has. */
static void count_stacks(int *stacks, int *all)
{
    char path[64], line[512];
    unsigned long from, to;
    char access[8];
    FILE *file;

    *stacks = *all = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)crierd.pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%lx-%lx %7s", &from, &to, access) == 3 &&
            strcmp(access, "rw-p") == 0 && to - from == CRIER__THREAD_STACK)
            ++*stacks;
    fclose(file);
    snprintf(path, sizeof path, "/proc/%d/status", (int)crierd.pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "Threads: %d", all);
    fclose(file);
}

/* Whether threads get the stacks that crierd asks for. */
static bool stacks_are_ours(void)
{
#if defined(__SANITIZE_THREAD__)
    return false;
#else
    return getenv("CRIERD_WRAPPER") == NULL;
#endif
}

/* Every thread but the first one has a stack of the size that was chosen. */
START_TEST(every_thread)
{
    int stacks, all;

    if (!stacks_are_ours()) {
        printf("SKIPPED: every_thread: a sanitizer or a wrapper makes stacks of "
               "its own\n");
        return;
    }
    count_stacks(&stacks, &all);
    ck_assert_int_ge(all, 2 + 2 + 1 + 1); /* shards, acceptor threads, log, main */
    ck_assert_int_ge(stacks, all - 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stack");
    TCase *c = add_case(s, "json_read");

    tcase_add_test(c, brackets_in_strings_do_not_count);
    tcase_add_test(c, what_is_no_json);
    tcase_add_loop_test(c, the_limit, 0, LEVELS);
    tcase_add_loop_test(c, a_small_stack_will_do, 0, LEVELS);
    c = add_case(s, "crierd");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, bodies, 0, HEADERS * LEVELS);
    tcase_add_loop_test(c, chat, 0, LEVELS);
    tcase_add_test(c, every_thread);
    return s;
}

RUN_SUITE(suite)
