/*
 * Random appends, forgettings and reads, each compared with a model that is a
 * plain array of all there ever was. CRIER_SEED in the environment sets the
 * seed that a failure has printed.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <string.h>
#include <time.h>

#define TOPICS 6
#define ALL TOPICS            /* what a bit stands for that is no topic's: "*", */
#define PREFIX (TOPICS + 1)   /* "f" and what follows, */
#define HIDDEN (TOPICS + 2)   /* "$" and what follows, */
#define NEAR (TOPICS + 3)     /* "a" and what follows */
#define BITS (TOPICS + 4)
#define TOPIC_BITS 0x3fU
#define STEPS 4000

static const char *const names[BITS] = {"a",  "b", "f/1", "f/2", "$c",
                                        "$d", "*", "f/*", "$*",  "a*"};

/* The topics that each prefix matches. */
static const unsigned matched[BITS] = {
    [PREFIX] = 0xc, [HIDDEN] = 0x30, [NEAR] = 0x1};
static const unsigned limits[TOPICS] = {5, 0, 3, 3, 4, 0};
static const struct crier_topic_retention retentions[] = {
    {"a", {.count = 5}}, {"f/*", {.count = 3}}, {"$c", {.count = 4}}};
static const struct crier_journal_options options = {
    .retention.count = 25, .topics = retentions, .topic_count = 3};

/* One update of the model; `held` is the set of topics that still hold it. */
struct item {
    uint64_t position;
    unsigned topics, held;
    int given; /* -1: none */
    bool is_private;
};

static struct item items[STEPS];
static int count;

/* What the reader is granted: topics, or NOTHING. */
#define NOTHING 0U
static unsigned grants;
static unsigned short state[3];

static unsigned random_below(unsigned limit)
{
    return (unsigned)nrand48(state) % limit;
}

/* The topics that SET asks for by name or by a prefix. */
static unsigned topics_of(unsigned set)
{
    unsigned topics = set & TOPIC_BITS, i;

    for (i = PREFIX; i < BITS; i++)
        if (set >> i & 1)
            topics |= matched[i];
    return topics;
}

/* Whether SET means the item AT, which is held. */
static bool means(unsigned set, int at)
{
    return (topics_of(set) & items[at].held) != 0 ||
           ((set >> ALL & 1) != 0 && (items[at].topics & 0xf) != 0);
}

/* Whether the reader may see the item AT. */
static bool may_see(int at)
{
    return !items[at].is_private || (items[at].topics & grants) != 0;
}

static void hold_no_more(unsigned topic, unsigned limit)
{
    unsigned held = 0;
    int i;

    for (i = count - 1; i >= 0; i--)
        if (items[i].held >> topic & 1 && ++held > limit)
            items[i].held &= ~(1u << topic);
}

/* Lets go what the limits say. */
static void trim(void)
{
    unsigned i, held = 0;
    int at;

    for (i = 0; i < TOPICS; i++)
        if (limits[i] != 0)
            hold_no_more(i, limits[i]);
    for (at = count - 1; at >= 0; at--)
        if (items[at].held != 0 && ++held > options.retention.count)
            items[at].held = 0;
}

static void write_topics(unsigned set, char *text)
{
    unsigned i;

    text[0] = '\0';
    for (i = 0; i < BITS; i++)
        if (set >> i & 1) {
            if (text[0] != '\0')
                strcat(text, ",");
            strcat(text, names[i]);
        }
}

static int find_given(int given)
{
    int i;

    for (i = 0; i < count; i++)
        if (items[i].given == given && items[i].held != 0)
            return i;
    return -1;
}

static void append_one(void)
{
    unsigned topics = 1u << random_below(TOPICS), i;
    char list_[64], text[16], id[16];
    int given = -1, older;

    for (i = random_below(3); i > 0; i--)
        topics |= 1u << random_below(TOPICS);
    if (random_below(4) == 0)
        given = (int)random_below(40);
    write_topics(topics, list_);
    snprintf(text, sizeof text, "%d", count);
    snprintf(id, sizeof id, "g%d", given);
    older = given >= 0 ? find_given(given) : -1;
    if (older >= 0) {
        ck_assert_int_eq(try_append(list_, id, text), CRIER_ERR_EXISTS);
        ck_assert_uint_eq(appended.position, items[older].position);
        return;
    }
    append_private = random_below(4) == 0;
    items[count].is_private = append_private;
    items[count].position = append_id(list_, given >= 0 ? id : NULL, text);
    items[count].topics = items[count].held = topics;
    items[count++].given = given;
    trim();
}

static void forget_one(void)
{
    unsigned topic = random_below(TOPICS);
    int i, error = CRIER_ERR_NO_TOPIC;

    for (i = 0; i < count; i++)
        if (items[i].held >> topic & 1) {
            items[i].held &= ~(1u << topic);
            error = 0;
        }
    ck_assert_int_eq(forget(names[topic]), error);
}

/* The last item of TOPIC that it does not hold any more (GONE), or that is public; -1:
 * none. */
static int last_item(unsigned topic, bool gone)
{
    int at = count - 1;

    while (at >= 0 && ((items[at].topics >> topic & 1) == 0 ||
                       (gone ? items[at].held >> topic & 1 : items[at].is_private)))
        at--;
    return at;
}

/* Whether the item FIRST or a later one was in TOPIC and may be missed. */
static bool has_gap(unsigned topic, int first)
{
    return last_item(topic, true) >= first &&
           (grants != NOTHING || last_item(topic, false) >= first);
}

/* What a read of the topics SET after the item FIRST - 1 must give. */
static const char *wanted(unsigned set, int first, bool gap)
{
    static char text[STEPS * 7];
    unsigned topics = topics_of(set), i;
    int at;

    for (i = 0; i < TOPICS; i++)
        gap |= topics >> i & 1 && has_gap(i, first);
    for (at = first; at < count && !gap; at++) {
        if (set >> ALL & 1 && items[at].held == 0 && items[at].topics & 0xf)
            gap = true;
    }
    strcpy(text, gap ? "gap" : "");
    for (at = first; at < count; at++)
        if (items[at].held != 0 && means(set, at) && may_see(at))
            sprintf(text + strlen(text), " %d%s", at,
                    items[at].is_private ? "~" : "");
    return text;
}

static void compare(const char *given, const char *correct, const char *topics)
{
    if (strcmp(given, correct) != 0)
        ck_abort_msg("%s: \"%s\" instead of \"%s\"", topics, given, correct);
}

/* The last NUMBER of SET begin with this item. */
static int last_ones(unsigned set, unsigned number)
{
    int at = count;

    while (at > 0 && number > 0) {
        at--;
        if (items[at].held != 0 && means(set, at) && may_see(at))
            number--;
    }
    return at;
}

static void strip_gap(const char *text, char *copy)
{
    strcpy(copy, strncmp(text, "gap", 3) == 0 ? text + 3 : text);
}

/* So many are before the point where a read begins: mostly a late one, where
 * more or less has been let go of. */
static int point(void)
{
    int back = (int)random_below(40);

    if (back > count || random_below(4) == 0)
        return (int)random_below((unsigned)count + 1);
    return count - back;
}

/* Grants the reader some topics, or nothing. */
static void grant_some(void)
{
    static char text[64];

    grants = random_below(2) == 0 ? NOTHING : random_below(1u << TOPICS);
    write_topics(grants, text);
    granted = grants != NOTHING ? text : NULL;
}

static void read_one(void)
{
    unsigned set = 1u << random_below(BITS), i;
    static char correct[STEPS * 7];
    int at = point();
    char topics[64], id[CRIER__ID_SIZE];

    for (i = random_below(4); i > 0; i--)
        set |= 1u << random_below(BITS);
    write_topics(set, topics);
    grant_some();
    page_bytes = random_below(2) == 0 ? 0 : 1 + random_below(300);
    switch (random_below(5)) {
    case 0:
        strip_gap(wanted(set, 0, false), correct);
        compare(all(topics), correct, topics);
        break;
    case 1:
        i = random_below(30);
        strip_gap(wanted(set, last_ones(set, i), false), correct);
        compare(since(CRIER_SINCE_LAST, topics, i), correct, topics);
        break;
    case 2:
        compare(after(at > 0 ? items[at - 1].position : 0, topics),
                wanted(set, at, false), topics);
        break;
    case 3:
        crier__id_make(id, journal->epoch, at > 0 ? items[at - 1].position : 0);
        compare(since_id(id, topics), wanted(set, at, false), topics);
        break;
    case 4:
        snprintf(id, sizeof id, "g%u", random_below(40));
        at = find_given(atoi(id + 1));
        compare(since_id(id, topics), wanted(set, at + 1, at < 0), topics);
        break;
    }
}

/* Adds to CORRECT what a list has to say of TOPIC. */
static void expect_listed(unsigned topic, char *correct)
{
    bool secret = false;
    unsigned held = 0;
    int at;

    for (at = 0; at < count; at++)
        if (items[at].held >> topic & 1) {
            held++;
            secret |= items[at].is_private;
        }
    if (held != 0 && (!secret || grants >> topic & 1) &&
        (!granted_only || grants >> topic & 1))
        sprintf(correct + strlen(correct), " %s:%u", names[topic], held);
}

/* Lists what the prefixes match. */
static void list_some(void)
{
    unsigned which = PREFIX + random_below(3), i;
    char correct[256] = "";

    for (i = 0; i < TOPICS; i++)
        if (matched[which] >> i & 1)
            expect_listed(i, correct);
    compare(list(names[which], "", 100), correct, names[which]);
}

static void list_all(void)
{
    static const unsigned sorted[TOPICS] = {4, 5, 0, 1, 2, 3};
    char correct[256] = "";
    unsigned i;

    grant_some();
    granted_only = random_below(3) == 0;
    for (i = 0; i < TOPICS; i++)
        expect_listed(sorted[i], correct);
    compare(list("*,$*", "", 100), correct, "list");
    list_some();
}

START_TEST(random_steps)
{
    const char *given = getenv("CRIER_SEED");
    long seed = given != NULL ? atol(given)
                              : (long)(time(NULL) * 10 + _i) % 1000000000;
    int step;

    printf("CRIER_SEED=%ld\n", seed);
    fflush(stdout);
    state[0] = (unsigned short)seed;
    state[1] = (unsigned short)(seed >> 16);
    state[2] = 0x330e;
    journal_start(_i % journal_backends(), &options);
    for (step = 0; step < STEPS; step++) {
        if (random_below(3) == 0)
            append_one();
        else if (random_below(40) == 0)
            forget_one();
        else
            read_one();
        if (step % 50 == 0)
            list_all();
        if (step % 500 == 499)
            journal_reopen(&options);
    }
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("journal, compared with a model");
    TCase *tcase = add_case(suite, "random steps");

    tcase_add_loop_test(tcase, random_steps, 0, 3 * journal_backends());
    return suite;
}

RUN_JOURNALS(make_suite)
