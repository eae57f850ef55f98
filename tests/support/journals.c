#include <config.h>

#include "journals.h"

#include "no_hub.h"
#include "redis_server.h"

#include <check.h>
#include <errno.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_SIZE (4 * 1024 * 1024)

struct crier_journal *journal;
char journal_dir[64];
const char *journal_parent = "/tmp";
struct crier__append appended;
char appended_id[CRIER__ID_SIZE];
struct crier__read answer;
unsigned pages;
bool append_private, append_last, granted_only, may_fail;
int64_t append_time;
const char *granted;
char withheld[4096];
size_t page_bytes;
const char *live;
uint64_t live_from;
struct crier__topic_info listed[1000];

static char path[96];
static char text[TEXT_SIZE];

/* The updates that were yielded; one thread at a time does that. */
static uint64_t last_yielded, yielded, successes;
static atomic_bool disorder;

static size_t yield(void *closure, struct crier__update *update)
{
    (void)closure;
    if (update->position <= last_yielded)
        atomic_store(&disorder, true);
    last_yielded = update->position;
    yielded++;
    return 7;
}

/* ---- servers ---------------------------------------------------------- */

static struct redis_server redis, valkey;
static int opened = SQLITE; /* the backend that journal_open() opens */
static unsigned ended;      /* how many tests have; in the name of a journal in Redis */

int journal_backends(void)
{
    if (redis.pid == 0)
        return REDIS;
    return valkey.pid != 0 ? VALKEY + 1 : VALKEY;
}

bool journal_is_redis(int backend)
{
    return backend >= REDIS;
}

bool journal_is_kept(int backend)
{
    return backend != MEMORY;
}

void journals_begin(void)
{
    char program[4096];
    const struct redis_options other = {.program = program};

    if (!redis_is_wanted())
        return;
    redis_start(&redis, NULL);
    if (redis_find_valkey(program))
        redis_start(&valkey, &other);
}

void journals_end(void)
{
    if (redis.pid != 0)
        redis_remove(&redis);
    if (valkey.pid != 0)
        redis_remove(&valkey);
}

/* ---- start and end ---------------------------------------------------- */

const char *journal_path(void)
{
    if (journal_dir[0] == '\0') {
        snprintf(journal_dir, sizeof journal_dir, "%s/crier-journal-XXXXXX",
                 journal_parent);
        ck_assert_ptr_nonnull(mkdtemp(journal_dir));
        snprintf(path, sizeof path, "%s/journal", journal_dir);
    }
    return path;
}

/* No server here loses anything. */
static void note_missed(void *closure, uint64_t position)
{
    (void)closure;
    (void)position;
    atomic_store(&disorder, true);
}

static void take_over(void)
{
    no_hub_set(journal);
    journal->yield = yield;
    journal->missed = note_missed;
    yielded = successes = 0;
    no_hub_start(journal, &last_yielded);
}

/* Opens the journal in Redis, under a name that no other test of this program uses, as *MADE. */
static int open_redis(const struct crier_journal_options *options,
                      struct crier_journal **made, char reason[256])
{
    static const char *const more[] = {
        [REDIS] = "", [REDIS_PAST] = "&cache=1k", [VALKEY] = ""};
    char *server = redis_url(opened == VALKEY ? &valkey : &redis), *url;
    int error;

    ck_assert_int_gt(asprintf(&url, "%s?" REDIS_PATIENCE "&name=test-%d-%u%s", server,
                              (int)getpid(), ended, more[opened]),
                     0);
    error = crier_journal_redis(url, options, made, reason, 256);
    free(url);
    free(server);
    return error;
}

int journal_open(const struct crier_journal_options *options)
{
    char reason[256] = "";
    int error = journal_is_redis(opened)
                    ? open_redis(options, &journal, reason)
                    : crier_journal_sqlite(journal_path(), options, &journal, reason,
                                           sizeof reason);

    if (error == 0)
        take_over();
    else
        ck_assert_str_ne(reason, "");
    return error;
}

void journal_start(int backend, const struct crier_journal_options *options)
{
    opened = backend;
    if (journal_is_kept(backend)) {
        ck_assert_int_eq(journal_open(options), 0);
        return;
    }
    ck_assert_int_eq(crier_journal_memory(options, &journal), 0);
    take_over();
}

struct crier_journal *journal_of_other_node(void)
{
    struct crier_journal *made;
    char reason[256];

    ck_assert_int_eq(open_redis(NULL, &made, reason), 0);
    no_hub_set(made);
    return made;
}

void journal_close(void)
{
    crier_journal_free(journal);
    journal = NULL;
    ck_assert(!atomic_load(&disorder));
    ck_assert_uint_eq(yielded, successes);
}

void journal_reopen(const struct crier_journal_options *options)
{
    if (!journal_is_kept(opened))
        return;
    journal_close();
    ck_assert_int_eq(journal_open(options), 0);
}

void journal_end(void)
{
    char command[128];

    if (journal != NULL)
        journal_close();
    opened = SQLITE;
    ended++;
    if (journal_dir[0] != '\0') {
        snprintf(command, sizeof command, "rm -r '%s'", journal_dir);
        ck_assert_int_eq(system(command), 0);
        journal_dir[0] = '\0';
        journal_parent = "/tmp";
    }
}

long journal_sql(const char *file, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    long number = -1;

    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    while (*sql != '\0') {
        ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, &sql),
                         SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
            number = (long)sqlite3_column_int64(statement, 0);
        ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
    }
    sqlite3_close(db);
    return number;
}

/* ---- appending -------------------------------------------------------- */

static sem_t done;

static void on_append(struct crier__append *append_)
{
    (void)append_;
    sem_post(&done);
}

static void on_forget(struct crier__forget *forget_)
{
    (void)forget_;
    sem_post(&done);
}

static void on_read(struct crier__read *read)
{
    (void)read;
    sem_post(&done);
}

static void on_list(struct crier__list *list_)
{
    (void)list_;
    sem_post(&done);
}

static void wait_for_it(void)
{
    while (sem_wait(&done) < 0)
        ck_assert_int_eq(errno, EINTR);
    sem_destroy(&done);
}

struct crier__update *update_of(const char *topics, const char *id,
                                const char *text_)
{
    struct crier__update *update;
    struct crier_frame *frame;
    struct crier__topics *list_;

    ck_assert_int_eq(crier_frame_text(NULL, text_, &frame), 0);
    ck_assert_int_eq(crier__topics_parse(topics, &list_), 0);
    update = crier__update_new(list_, id, frame);
    ck_assert_ptr_nonnull(update);
    free(list_);
    crier_frame_unref(frame);
    return update;
}

int try_append(const char *topics, const char *id, const char *text_)
{
    memset(&appended, 0x55, sizeof appended);
    appended.done = on_append;
    appended.census = NULL;
    appended.update = update_of(topics, id, text_);
    appended.update->is_private = append_private;
    appended.update->last = append_last;
    appended.update->time = append_time;
    sem_init(&done, 0, 0);
    journal->ops->append(journal, &appended);
    wait_for_it();
    ck_assert_ptr_nonnull(memchr(appended.reason, 0, sizeof appended.reason));
    if (appended.error == 0) {
        ck_assert_uint_eq(appended.subscribers, 7);
        strcpy(appended_id, appended.update->id);
        appended.position = appended.update->position;
        ck_assert_uint_eq(appended.position, last_yielded);
        ck_assert_uint_eq(journal->ops->last(journal), last_yielded);
        successes++;
    }
    crier__update_unref(appended.update);
    return appended.error;
}

uint64_t append_id(const char *topics, const char *id, const char *text_)
{
    ck_assert_int_eq(try_append(topics, id, text_), 0);
    return appended.position;
}

uint64_t append(const char *topics, const char *text_)
{
    return append_id(topics, NULL, text_);
}

void append_many(const char *topics, int first, int count)
{
    char number[16];

    while (count-- > 0) {
        snprintf(number, sizeof number, "%d", first++);
        append(topics, number);
    }
}

int forget(const char *topic)
{
    struct crier__forget question = {.done = on_forget, .topic = topic};

    question.error = 1;
    sem_init(&done, 0, 0);
    journal->ops->forget(journal, &question);
    wait_for_it();
    return question.error;
}

/* ---- grants ----------------------------------------------------------- */

/* New grants of what `granted` says, or NULL. */
static struct crier_grants *new_grants(void)
{
    struct crier_selector selectors_[CRIER__TOPICS_MAX] = {{0}};
    char *copy, *rest = NULL, *name;
    struct crier_grants *grants;
    size_t count = 0;

    if (granted == NULL)
        return NULL;
    copy = strdup(granted);
    for (name = strtok_r(copy, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest))
        selectors_[count++].text = name;
    ck_assert_int_eq(crier_grants_new(selectors_, count, &grants), 0);
    free(copy);
    return grants;
}

/* ---- reading ---------------------------------------------------------- */

/* The read of which each page is one call. */
static struct crier__read question;
static struct crier__read_selector selectors[CRIER__TOPICS_MAX];
static struct crier__selectors *asked[2]; /* the past's, and the live ones */

static void select_topics(const char *topics, bool is_live)
{
    struct crier__read_selector *selector;
    unsigned i;

    crier__selectors_free(asked[is_live]);
    asked[is_live] = NULL;
    if (topics == NULL)
        return;
    ck_assert_int_eq(crier__selectors_parse(topics, &asked[is_live]), 0);
    for (i = 0; i < asked[is_live]->count; i++) {
        selector = &selectors[question.selector_count++];
        selector->selector = asked[is_live]->items[i];
        selector->live = is_live;
        selector->gap_reported_upto = 0;
        selector->from = is_live ? live_from : 0;
    }
}

/* Adds the text of UPDATE to `text`. One assertion: each writes to a file, and a test may
 * read a million updates. */
static void tell(const struct crier__update *update)
{
    const char *body;
    size_t length, have = strlen(text);
    char prefix[CRIER__ID_SIZE + 8];

    snprintf(prefix, sizeof prefix, "id: %s\n", update->id);
    body = crier__update_body(update, &length);
    ck_assert(strncmp(update->frame->bytes, prefix, strlen(prefix)) == 0 &&
              length > 8 && strncmp(body, "data: ", 6) == 0 &&
              have + length + 2 < sizeof text);
    snprintf(text + have, sizeof text - have, " %.*s%s%s", (int)length - 8,
             body + 6, update->is_private ? "~" : "", update->last ? "!" : "");
}

static void check_page(uint64_t before)
{
    uint64_t position = before;
    size_t bytes = 0;
    unsigned i;

    ck_assert_int_eq(question.error, 0);
    ck_assert_uint_le(question.count, CRIER__READ_MAX);
    for (i = 0; i < question.count; i++) {
        ck_assert((i == 0 || bytes < question.max_bytes) &&
                  question.updates[i]->position > position);
        position = question.updates[i]->position;
        bytes += question.updates[i]->frame->length;
        tell(question.updates[i]);
        crier__update_unref(question.updates[i]);
    }
    ck_assert_uint_ge(question.reached, position);
    if (question.end)
        ck_assert_uint_ge(question.reached, last_yielded);
    else if (!question.resolve) /* otherwise it may say only where the next one begins */
        ck_assert_uint_gt(question.reached, before);
    if (!question.gap)
        ck_assert_str_eq(question.oldest, "");
}

static const char *read_on(void)
{
    uint64_t before = question.resolve ? 0 : question.after;
    struct crier_grants *grants = new_grants();

    text[0] = '\0';
    pages = 0;
    question.grants = grants;
    question.selectors = selectors;
    question.max_bytes = page_bytes != 0 ? page_bytes : 4 * 1024 * 1024;
    question.done = on_read;
    do {
        sem_init(&done, 0, 0);
        journal->ops->read(journal, &question);
        wait_for_it();
        if (pages++ == 0 || question.error != 0)
            answer = question;
        if (may_fail && question.error != 0)
            break;
        if (question.gap)
            strcat(text, pages == 1 ? "gap" : " gap");
        check_page(before);
        question.resolve = false;
        before = question.after = question.reached;
    } while (!question.end);
    crier_grants_unref(grants);
    return text;
}

static const char *begin(enum crier_since since_, const char *topics,
                         const char *id, uint64_t number)
{
    memset(&question, 0, sizeof question);
    question.resolve = true;
    question.after = journal->ops->last(journal);
    question.since = since_;
    question.id = id;
    question.number = number;
    select_topics(topics, false);
    select_topics(live, true);
    return read_on();
}

const char *since(enum crier_since since_, const char *topics,
                  uint64_t number)
{
    return begin(since_, topics, NULL, number);
}

const char *since_id(const char *id, const char *topics)
{
    return begin(CRIER_SINCE_ID, topics, id, 0);
}

const char *after(uint64_t position, const char *topics)
{
    memset(&question, 0, sizeof question);
    question.after = position;
    select_topics(topics, false);
    return read_on();
}

const char *all(const char *topics)
{
    return since(CRIER_SINCE_ALL, topics, 0);
}

/* ---- listing ---------------------------------------------------------- */

static void note_withheld(struct crier__list *list_, const char *name)
{
    size_t length = strlen(withheld);

    (void)list_;
    snprintf(withheld + length, sizeof withheld - length, " %s", name);
}

const char *list(const char *topics, const char *behind, unsigned limit)
{
    struct crier__selectors *which;
    struct crier_grants *grants = new_grants();
    struct crier__list asked_ = {.done = on_list,
                                 .grants = grants,
                                 .granted_only = granted_only,
                                 .withheld = note_withheld,
                                 .after = behind,
                                 .limit = limit,
                                 .infos = listed};
    size_t length = 0;
    unsigned i;

    ck_assert_int_eq(crier__selectors_parse(topics, &which), 0);
    asked_.selectors = which;
    withheld[0] = '\0';
    sem_init(&done, 0, 0);
    journal->ops->list(journal, &asked_);
    wait_for_it();
    ck_assert_int_eq(asked_.error, 0);
    ck_assert_uint_le(asked_.count, limit);
    text[0] = '\0';
    for (i = 0; i < asked_.count; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   " %s:%llu", listed[i].name,
                                   (unsigned long long)listed[i].count);
        ck_assert_int_gt(listed[i].first_time, 0);
        ck_assert_int_le(listed[i].first_time, listed[i].time);
    }
    crier__selectors_free(which);
    crier_grants_unref(grants);
    return text;
}

/* ---- the clock -------------------------------------------------------- */

static _Atomic int64_t ahead; /* ms, of the real clock */

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = __real_clock_gettime(clock, time);
    int64_t nanoseconds;

    if (clock != CLOCK_REALTIME)
        return result;
    nanoseconds = time->tv_nsec + atomic_load(&ahead) % SECOND * 1000000;
    time->tv_sec += (time_t)(atomic_load(&ahead) / SECOND);
    if (nanoseconds >= 1000000000) {
        nanoseconds -= 1000000000;
        time->tv_sec++;
    } else if (nanoseconds < 0) {
        nanoseconds += 1000000000;
        time->tv_sec--;
    }
    time->tv_nsec = (long)nanoseconds;
    return result;
}

void set_clock(int64_t milliseconds)
{
    atomic_store(&ahead, milliseconds);
}

void pass(int64_t time)
{
    int64_t now = crier__journal_time(0);

    if (now <= time)
        set_clock(atomic_load(&ahead) + time - now + 1);
}
