/*
 * Reads from Redis: many readers share what is read, damage is passed by, and malformed
 * replies are refused. What reads give is compared in test_journal_model.c.
 */
#include <config.h>

#include "support/journals.h"
#include "support/no_hub.h"
#include "support/redis_server.h"
#include "support/runner.h"

#include "libcrier/journal/redis/redis.h"
#include "libcrier/journal/redis/redis_page.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READERS 300
#define UPDATES 2000

/* ---- readers ---------------------------------------------------------- */

struct reader {
    struct crier__read read; /* its first member */
    struct crier__read_selector selector;
    unsigned got;
    uint64_t position;
    bool once;
};

static sem_t finished;

/* What each reader must get. */
static void check_updates(struct reader *reader)
{
    unsigned i;

    ck_assert_int_eq(reader->read.error, 0);
    ck_assert(!reader->read.gap);
    for (i = 0; i < reader->read.count; i++) {
        ck_assert_uint_eq(reader->read.updates[i]->position, reader->position + 1);
        reader->position++;
        crier__update_unref(reader->read.updates[i]);
    }
    reader->got += reader->read.count;
}

static void read_page(struct crier__read *read)
{
    struct reader *reader = (struct reader *)read;

    check_updates(reader);
    if (reader->once || read->end) {
        sem_post(&finished);
        return;
    }
    read->resolve = false;
    read->after = read->reached;
    journal->ops->read(journal, read);
}

static void start_reader(struct reader *reader, struct crier__selectors *topics, bool once,
                         size_t bytes)
{
    memset(reader, 0, sizeof *reader);
    reader->once = once;
    reader->selector.selector = topics->items[0];
    reader->read.selectors = &reader->selector;
    reader->read.selector_count = 1;
    reader->read.resolve = true;
    reader->read.since = CRIER_SINCE_ALL;
    reader->read.after = journal->ops->last(journal);
    reader->read.max_bytes = bytes;
    reader->read.done = read_page;
    journal->ops->read(journal, &reader->read);
}

/* Runs all readers of TOPICS. Returns how many calls that took. */
static size_t run_readers(const char *topics, bool once)
{
    struct reader *readers = calloc(READERS, sizeof *readers);
    struct crier__redis_past *past = &((struct crier__redis *)journal)->past;
    struct crier__selectors *selectors;
    size_t before = atomic_load(&past->reads);
    unsigned i;

    ck_assert_ptr_nonnull(readers);
    ck_assert_int_eq(crier__selectors_parse(topics, &selectors), 0);
    sem_init(&finished, 0, 0);
    for (i = 0; i < READERS; i++) /* some have shorter pages */
        start_reader(&readers[i], selectors, once, once || i % 8 != 0 ? 1U << 22 : 9000);
    for (i = 0; i < READERS; i++)
        sem_wait(&finished);
    for (i = 0; i < READERS; i++)
        ck_assert_uint_eq(readers[i].got, once ? CRIER__READ_MAX : UPDATES);
    crier__selectors_free(selectors);
    free(readers);
    return atomic_load(&past->reads) - before;
}

START_TEST(one_read_for_many)
{
    static const char *const topics[] = {"a", "*", "a*"};
    size_t calls;

    journal_start(REDIS_PAST, NULL);
    append_many("a", 0, UPDATES);
    calls = run_readers(topics[_i], true);
    printf("%s: %zu calls for one page\n", topics[_i], calls);
    ck_assert_uint_ge(calls, 1);
    ck_assert_uint_le(calls, 40);
    calls = run_readers(topics[_i], false);
    printf("%s: %zu calls for all\n", topics[_i], calls);
    ck_assert_uint_le(calls, 200);
    journal_end();
}
END_TEST

/* ---- ids of other nodes ----------------------------------------------- */

static void note_finished(struct crier__read *read)
{
    (void)read;
    sem_post(&finished);
}

/* Reads what TOPICS of the journal OF have behind ID. Expects a GAP or none, and no update up to
 * the position REACHED. */
static void read_behind(struct crier_journal *of, const char *topics, const char *id, bool gap,
                        uint64_t reached)
{
    struct crier__read_selector selectors[2] = {0};
    struct crier__selectors *parsed;
    struct crier__read read = {.selectors = selectors,
                               .resolve = true,
                               .since = CRIER_SINCE_ID,
                               .id = id,
                               .after = of->ops->last(of),
                               .max_bytes = 1U << 22,
                               .done = note_finished};

    ck_assert_int_eq(crier__selectors_parse(topics, &parsed), 0);
    for (; read.selector_count < parsed->count; read.selector_count++)
        selectors[read.selector_count].selector = parsed->items[read.selector_count];
    sem_init(&finished, 0, 0);
    of->ops->read(of, &read);
    sem_wait(&finished);
    ck_assert_int_eq(read.error, 0);
    ck_assert_int_eq(read.gap, gap);
    ck_assert_uint_eq(read.count, 0);
    ck_assert_uint_eq(read.reached, reached);
    crier__selectors_free(parsed);
}

/* A client brings the id of an update that has not come to this node yet: it has missed nothing.
 * An id that no update has had is a gap, from the beginning. */
START_TEST(ids_may_be_ahead_of_the_node)
{
    static const char *const topics[] = {"a", "a,b", "*", "a*"};
    char one[CRIER__ID_SIZE], two[CRIER__ID_SIZE], four[CRIER__ID_SIZE];
    const char *selectors = topics[_i];
    struct crier_journal *behind;

    journal_start(REDIS, NULL);
    append("a", "one");
    behind = journal_of_other_node();
    crier__id_make(one, journal->epoch, 1);
    crier__id_make(two, journal->epoch, 2);
    crier__id_make(four, journal->epoch, 4);
    read_behind(behind, selectors, one, false, 1);
    read_behind(behind, selectors, two, true, 0);
    append("a", "two");
    append_id("a", "own", "three");
    read_behind(behind, selectors, two, false, 2);
    read_behind(behind, selectors, "own", false, 3);
    read_behind(behind, selectors, four, true, 0);
    read_behind(behind, selectors, "other", true, 0);
    crier_journal_free(behind);
    journal_end();
}
END_TEST

/* ---- what other programs have written --------------------------------- */

/* Runs a command, in which %s stands for KEY of the journal. */
static void change_key(enum crier__redis_key key, const char *format)
{
    const struct crier__redis *redis = (struct crier__redis *)journal;
    redisContext *connection = redisConnectUnix(redis->link.url->server.host);
    redisReply *reply;

    ck_assert_ptr_nonnull(connection);
    ck_assert_int_eq(connection->err, 0);
    reply = redisCommand(connection, format, redis->keys[key]);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redisFree(connection);
}

static const char *const foreign[] = {"XADD %s 1-7 foo bar", "XADD %s 1-7 u junk",
                                      "XADD %s 1-7 e a b c"};

/* A node that fetches them goes on behind them. */
START_TEST(foreign_notes_are_passed_by)
{
    journal_start(REDIS, NULL);
    append("a", "one");
    change_key(CRIER__REDIS_LOG, foreign[_i]);
    change_key(CRIER__REDIS_JOURNAL, "HSET %s note 7");
    ck_assert_uint_eq(append("a", "two"), 2);
    ck_assert_uint_eq(append("a", "three"), 3);
    ck_assert_str_eq(all("a"), " one two three");
    ck_assert_uint_ge(atomic_load(&journal->damaged), 1);
    journal_end();
}
END_TEST

static atomic_ullong missed_upto;

static void note_missed_upto(void *closure, uint64_t position)
{
    (void)closure;
    atomic_store(&missed_upto, position);
}

/* An entry near the largest position keeps nodes out, which say what to do. */
START_TEST(used_up_positions_are_reported)
{
    char reason[128] = "";

    journal_start(REDIS, NULL);
    journal->missed = note_missed_upto;
    append("a", "one");
    change_key(CRIER__REDIS_LOG, "XADD %s 9007199254740990-1 foo bar");
    while (strstr(reason, "another program's entry left no positions; 'DEL {") == NULL) {
        ck_assert_int_eq(try_append("a", "", "two"), CRIER_ERR_STORAGE);
        (void)journal->ops->status(journal, reason);
    }
    ck_assert_msg(strstr(reason, "}:journal' begins anew") != NULL, "%s", reason);
    change_key(CRIER__REDIS_JOURNAL, "DEL %s");
    while (try_append("a", "", "three") != 0)
        continue;
    ck_assert_str_eq(all("a"), " three");
    journal_end();
}
END_TEST

/* Another node has appended the second update, and it was deleted before this one saw it. */
START_TEST(what_is_deleted_in_front_of_an_own_update_is_missed)
{
    journal_start(REDIS, NULL);
    journal->missed = note_missed_upto;
    append("a", "one");
    atomic_store(&missed_upto, 0);
    change_key(CRIER__REDIS_JOURNAL, "HSET %s last 2");
    ck_assert_uint_eq(append("a", "three"), 3);
    ck_assert_uint_eq(atomic_load(&missed_upto), 2);
    journal_end();
}
END_TEST

static const struct {
    enum crier__redis_key key;
    const char *format;
} topic_damages[][2] = {
    {{CRIER__REDIS_TOPICS, "HDEL %s b"}},
    /* Its newest update has an id that is no UTF-8. */
    {{CRIER__REDIS_LOG, "EVAL return(redis.call('xadd',KEYS[1],'4-0','u',"
                        "'8\\0325\\0329\\n\\255\\nb','b','\\n')) 1 %s"},
     {CRIER__REDIS_INDEX, "EVAL return(redis.call('zadd',KEYS[1],0,"
                          "'b\\0'..struct.pack('>I8',4))) 1 %s"}},
    /* Another name is no UTF-8. */
    {{CRIER__REDIS_NAMES, "ZADD %s 0 b\xff"},
     {CRIER__REDIS_TOPICS, "EVAL return(redis.call('hdel',KEYS[1],'b')) 1 %s"}},
};

START_TEST(damaged_topics_are_not_listed)
{
    unsigned i;

    journal_start(REDIS, NULL);
    append("a", "one");
    append("b", "two");
    append("c", "three");
    for (i = 0; i < 2 && topic_damages[_i][i].format != NULL; i++)
        change_key(topic_damages[_i][i].key, topic_damages[_i][i].format);
    ck_assert_str_eq(list("*", "", 10), " a:1 c:1");
    ck_assert_uint_ge(atomic_load(&journal->damaged), 1);
    journal_end();
}
END_TEST

/* Names with a NUL and much behind that, and such that are no UTF-8. */
static const struct {
    enum crier__redis_key key;
    const char *format;
} foreign_names[] = {
    {CRIER__REDIS_ENDS, "EVAL return(redis.call('hset',KEYS[1],'a','1\\0321\\032',"
                        "'a\\0'..string.rep('x',300),'1\\0321\\032')) 1 %s"},
    {CRIER__REDIS_TOPICS, "EVAL return(redis.call('hset',KEYS[1],'\\255',"
                          "'1\\0321\\0321\\0321\\0321')) 1 %s"},
};

START_TEST(foreign_names_are_passed_by_at_the_start)
{
    journal_start(REDIS, NULL);
    append("a", "one");
    change_key(foreign_names[_i].key, foreign_names[_i].format);
    journal_reopen(NULL);
    ck_assert_str_eq(all("a"), " one");
    ck_assert_uint_eq(atomic_load(&journal->damaged), 1);
    journal_end();
}
END_TEST

/* A node that took the text up to its NUL would attach again and again. */
START_TEST(an_epoch_with_a_nul_is_refused)
{
    char reason[128] = "";

    journal_start(REDIS, NULL);
    append("a", "one");
    change_key(CRIER__REDIS_JOURNAL,
               "EVAL return(redis.call('hset',KEYS[1],'epoch','ab\\0c')) 1 %s");
    journal->ops->interrupt(journal); /* so that appends fail within seconds */
    while (strstr(reason, "an unknown reply to attach") == NULL) {
        ck_assert_int_eq(try_append("a", "", "two"), CRIER_ERR_STORAGE);
        (void)journal->ops->status(journal, reason);
    }
    journal_end();
}
END_TEST

/* ---- a server that lies ----------------------------------------------- */

/* Between a node and a server. What the server replies is passed on, but a text of three bytes
 * that begins with '2', such as the place "2-0", begins with '9' then. */
#define ENDS 16

static struct {
    char path[64];
    pthread_t thread;
    struct pollfd polled[1 + ENDS]; /* the listener; then the ends, a pair each */
    const char *matched[ENDS];      /* how far the bytes before are the beginning of a text */
    const char *server;
} relay;

static const char text_of_three[] = "$3\r\n";

static void rewrite_places(const char **matched, char *bytes, ssize_t length)
{
    ssize_t i;

    for (i = 0; i < length; i++) {
        if (**matched == '\0' && bytes[i] == '2')
            bytes[i] = '9';
        *matched = **matched != '\0' && bytes[i] == **matched ? *matched + 1 : text_of_three;
        if (*matched == text_of_three && bytes[i] == '$')
            *matched = text_of_three + 1;
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(connect(made, (struct sockaddr *)&address, sizeof address), 0);
    return made;
}

static void close_pair(struct pollfd *end, struct pollfd *other)
{
    close(end->fd);
    close(other->fd);
    end->fd = other->fd = -1;
}

static void pass_on(unsigned i)
{
    struct pollfd *end = &relay.polled[1 + i], *other = &relay.polled[1 + (i ^ 1U)];
    char bytes[4096];
    ssize_t got = read(end->fd, bytes, sizeof bytes);

    if (got > 0 && i % 2 != 0)
        rewrite_places(&relay.matched[i], bytes, got);
    if (got <= 0 || send(other->fd, bytes, (size_t)got, MSG_NOSIGNAL) != got)
        close_pair(end, other);
}

/* Takes a client. False: the test is over. */
static bool take_client(void)
{
    int client = accept4(relay.polled[0].fd, NULL, NULL, SOCK_CLOEXEC);
    unsigned i = 0;

    if (client < 0)
        return false;
    while (relay.polled[1 + i].fd >= 0)
        i += 2;
    ck_assert_uint_lt(i, ENDS);
    relay.polled[1 + i].fd = client;
    relay.polled[2 + i].fd = connect_to(relay.server);
    relay.matched[i + 1] = text_of_three;
    return true;
}

static void *run_relay(void *closure)
{
    bool more = true;
    unsigned i;

    (void)closure;
    while (more && poll(relay.polled, 1 + ENDS, -1) > 0) {
        for (i = 0; i < ENDS; i++)
            if (relay.polled[1 + i].fd >= 0 && relay.polled[1 + i].revents != 0)
                pass_on(i);
        if (relay.polled[0].revents != 0)
            more = take_client();
    }
    return NULL;
}

static void begin_relay(const char *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsigned i;

    relay.server = server;
    for (i = 0; i <= ENDS; i++)
        relay.polled[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    snprintf(relay.path, sizeof relay.path, "/tmp/crier-relay-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", relay.path);
    relay.polled[0].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(relay.polled[0].fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(relay.polled[0].fd, ENDS), 0);
    ck_assert_int_eq(pthread_create(&relay.thread, NULL, run_relay, NULL), 0);
}

static void end_relay(void)
{
    unsigned i;

    shutdown(relay.polled[0].fd, SHUT_RDWR);
    pthread_join(relay.thread, NULL);
    for (i = 0; i <= ENDS; i++)
        if (relay.polled[i].fd >= 0)
            close(relay.polled[i].fd);
    unlink(relay.path);
}

/* The mirror is in the order of positions, and finds by that what it frees. */
START_TEST(entries_out_of_order_are_not_loaded)
{
    const struct crier__redis_url *url;
    struct crier_journal *other;
    char reason[256] = "", *text;

    journal_start(REDIS, NULL);
    append_many("a", 1, 3);
    url = ((struct crier__redis *)journal)->link.url;
    begin_relay(url->server.host);
    ck_assert_int_gt(asprintf(&text, "redis+unix:%s?" REDIS_PATIENCE "&name=%s", relay.path,
                              url->name), 0);
    ck_assert_int_eq(crier_journal_redis(text, NULL, &other, reason, sizeof reason), 0);
    ck_assert_uint_eq(atomic_load(&other->damaged), 1);
    free(text);
    crier_journal_free(other);
    end_relay();
    journal_end();
}
END_TEST

/* ---- topics that have ended ------------------------------------------- */

static void end_topic(const char *topic)
{
    append_last = true;
    append(topic, "end");
    append_last = false;
}

/* Redis has lost the end of a topic, and so must the node: its streams would be ended as soon as
 * they begin, whatever is published then. */
START_TEST(a_new_journal_has_other_ends)
{
    struct crier__ended ended;

    journal_start(REDIS, NULL);
    end_topic("a");
    end_topic("b");
    ck_assert(crier__journal_ended(journal, "a", &ended));
    journal->missed = note_missed_upto;
    change_key(CRIER__REDIS_JOURNAL, "DEL %s");
    while (try_append("c", "", "one") != 0)
        continue;
    ck_assert(!crier__journal_ended(journal, "a", &ended));
    append("a", "two");
    end_topic("b");
    ck_assert(crier__journal_ended(journal, "b", &ended));
    journal_end();
}
END_TEST

static void note_appended(struct crier__append *append)
{
    (void)append;
    sem_post(&finished);
}

/* Appends an update to each of the topics FIRST and SECOND in one batch. */
static void append_batch(const char *first, const char *second)
{
    struct crier__append appends[2] = {{.done = note_appended, .update = update_of(first, NULL, "x")},
                                       {.done = note_appended,
                                        .update = update_of(second, NULL, "y")}};
    struct crier__redis *redis = (struct crier__redis *)journal;
    struct crier__redis_queue *queue = &redis->queue;
    unsigned i;

    sem_init(&finished, 0, 0);
    pthread_mutex_lock(&redis->queue_lock);
    for (i = 0; i < 2; i++)
        queue->changes[(queue->first + queue->count++) % queue->capacity] =
            (struct crier__redis_queued){.append = &appends[i], .until = crier_now() + 60000};
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_link_wake(&redis->link);
    for (i = 0; i < 2; i++)
        sem_wait(&finished);
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(appends[i].error, 0);
        crier__update_unref(appends[i].update);
    }
}

/* The first update of the batch evicts the end of the topic that the second one is for: no note
 * says so. */
START_TEST(an_update_undoes_an_end)
{
    const struct crier_journal_options few = {.retention = {.count = 2}};
    struct crier__ended ended;

    journal_start(REDIS, &few);
    end_topic("a");
    append("b", "one");
    ck_assert(crier__journal_ended(journal, "a", &ended));
    journal->yield = no_hub_yield; /* nobody compares what is yielded with what was appended */
    append_batch("b", "a");
    ck_assert(!crier__journal_ended(journal, "a", &ended));
    crier_journal_free(journal);
    journal = NULL;
    journal_end();
}
END_TEST

/* Between two steps of a deletion a topic may end anew. */
START_TEST(a_deletion_spares_a_later_end)
{
    struct crier__ended ended = {.position = 7};
    struct crier__ended_set set;
    int64_t time;

    ck_assert_int_eq(crier__ended_init(&set), 0);
    ck_assert_int_eq(crier__ended_add(&set, "a", 1, &ended, 1), 0);
    crier__ended_commit(&set);
    crier__ended_forget(&set, "a", 1, 6);
    crier__ended_forget(&set, "b", 1, 7);
    ck_assert(crier__ended_find(&set, "a", 1, &ended, &time));
    crier__ended_forget(&set, "a", 1, 7);
    ck_assert(!crier__ended_find(&set, "a", 1, &ended, &time));
    crier__ended_done(&set);
}
END_TEST

/* A frame ends with its last line, and so does the number that is read from it. */
START_TEST(a_retry_without_digits_is_none)
{
    static const char body[] = "retry: \n\n";
    struct crier_frame *frame = crier__frame_of(body, sizeof body - 1), *json;
    struct crier__topics *topics;
    struct crier__update *update;

    ck_assert_int_eq(crier__topics_parse("a", &topics), 0);
    update = crier__update_new(topics, NULL, frame);
    ck_assert_ptr_nonnull(update);
    ck_assert_int_eq(crier__update_place(update, "e", 1, 0), 0);
    json = crier__update_copy(update, CRIER_FORMAT_JSON);
    ck_assert_ptr_nonnull(json);
    ck_assert_ptr_null(memmem(json->bytes, json->length, "retry", strlen("retry")));
    crier_frame_unref(json);
    crier__update_unref(update);
    crier_frame_unref(frame);
    free(topics);
}
END_TEST

/* ---- malformed replies ------------------------------------------------ */

/* A reply, written as "[...]" for an array, "'...'" for a text, digits for an integer, and
 * "-" for nil. */
static redisReply *parse_reply(const char **at)
{
    redisReply *reply = calloc(1, sizeof *reply);
    const char *end;

    while (**at == ' ')
        ++*at;
    if (**at == '[') {
        reply->type = REDIS_REPLY_ARRAY;
        reply->element = calloc(16, sizeof *reply->element);
        for (++*at; **at != ']'; *at += strspn(*at, " "))
            reply->element[reply->elements++] = parse_reply(at);
        ++*at;
    } else if (**at == '\'') {
        end = strchr(*at + 1, '\'');
        reply->type = REDIS_REPLY_STRING;
        reply->len = (size_t)(end - *at - 1);
        reply->str = strndup(*at + 1, reply->len);
        *at = end + 1;
    } else if (**at == '-' && (*at)[1] != '1') {
        reply->type = REDIS_REPLY_NIL;
        ++*at;
    } else {
        reply->type = REDIS_REPLY_INTEGER;
        reply->integer = strtoll(*at, (char **)(uintptr_t)at, 10);
    }
    return reply;
}

/* DAMAGES are entries, each of which is damage: what is sent of others must be one event in
 * UTF-8. */
enum { ENTRIES, DAMAGES, HEADS, MARKS };

static const struct {
    int kind;
    bool good;
    unsigned count; /* of items, where it is good */
    const char *reply;
} replies[] = {
    {ENTRIES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: x\n\n']]]]"},
    {ENTRIES, true, 0, "[20 []]"},
    {ENTRIES, true, 1, "[9 [['6-0' ['u' '8 5 9\n#x-1\na' 'b' '\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' 'no head' 'b' '\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' '']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: x']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: x\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: x\n\nid: 1\n\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: x\rid: 1\n\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: \xff\n\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '8 5 9\nx\ry\na' 'b' '\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '8 5 9\n\xff\na' 'b' '\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['u' '8 5 9\n#\na' 'b' '\n']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' ['x']]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' []]]]"},
    {DAMAGES, true, 1, "[9 [['6-0' -]]]"},
    {ENTRIES, false, 0, "-"},
    {ENTRIES, false, 0, "7"},
    {ENTRIES, false, 0, "[]"},
    {ENTRIES, false, 0, "[9]"},
    {ENTRIES, false, 0, "[9 -]"},
    {ENTRIES, false, 0, "[5 []]"},  /* it does not rise */
    {ENTRIES, false, 0, "[21 []]"}, /* beyond what was asked for */
    {ENTRIES, false, 0, "[-1 []]"},
    {ENTRIES, false, 0, "['x' []]"},
    {ENTRIES, false, 0, "[9 [7]]"},
    {ENTRIES, false, 0, "[9 [[]]]"},
    {ENTRIES, false, 0, "[9 [[7 []]]]"},
    {ENTRIES, false, 0, "[9 [['6' []]]]"},
    {ENTRIES, false, 0, "[9 [['5-0' []]]]"},
    {ENTRIES, false, 0, "[9 [['10-0' []]]]"},
    {ENTRIES, false, 0, "[9 [['6-1' []]]]"},
    {ENTRIES, false, 0, "[9 [['6-0' []] ['6-0' []]]]"},
    {ENTRIES, false, 0, "[9 [['99999999999999999999-0' []]]]"},
    {HEADS, true, 2, "[[9 '0 5 9\n\na'] [8 'bad']]"},
    {HEADS, true, 0, "[]"},
    {HEADS, false, 0, "-"},
    {HEADS, false, 0, "[7]"},
    {HEADS, false, 0, "[[9]]"},
    {HEADS, false, 0, "[[9 8]]"},
    {HEADS, false, 0, "[[0 'x']]"},
    {HEADS, false, 0, "[[20 'x']]"},
    {HEADS, false, 0, "[[8 'x'] [9 'x']]"},
    {MARKS, true, 0, "[9 1 2 3 0 0 0 ['1 2 3 4 5 0 0']]"},
    {MARKS, true, 0, "[9 1 2 3 0 0 0 ['']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 -]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 []]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['' '']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 [-]]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 [7]]"},
    {MARKS, false, 0, "[9 -1 2 3 0 0 0 ['']]"},
    {MARKS, false, 0, "[9 1 2 'x' 0 0 0 ['']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 3']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 3 4 5']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 -3 4 5 0 0']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 99999999999999999 4 5 0 0']]"},
};

START_TEST(malformed_replies)
{
    const struct crier__redis_corrected none = {0};
    const char *at = replies[_i].reply;
    redisReply *reply = parse_reply(&at);
    struct crier__redis_page *page = crier__redis_page_new(5);
    bool good;

    journal_start(MEMORY, NULL);
    ck_assert(crier__redis_page_want(page, "a", 1));
    crier__redis_page_sort(page);
    if (replies[_i].kind == ENTRIES || replies[_i].kind == DAMAGES)
        good = crier__redis_page_take(page, reply, 20, journal, &none);
    else if (replies[_i].kind == HEADS)
        good = crier__redis_page_take_back(page, reply, 20, journal, &none);
    else
        good = crier__redis_page_take_marks(page, reply);
    ck_assert_msg(good == replies[_i].good, "%s", replies[_i].reply);
    if (good)
        ck_assert_uint_eq(page->count, replies[_i].count);
    if (good && replies[_i].kind != HEADS)
        ck_assert_msg(atomic_load(&journal->damaged) == (replies[_i].kind == DAMAGES), "%s",
                      replies[_i].reply);
    crier__redis_page_unref(page);
    freeReplyObject(reply);
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("reads from Redis");
    TCase *tcase = add_case(suite, "past");

    tcase_add_test(tcase, a_retry_without_digits_is_none);
    tcase_add_test(tcase, a_deletion_spares_a_later_end);
    tcase_add_loop_test(tcase, malformed_replies, 0, sizeof replies / sizeof *replies);
    if (redis_is_wanted()) {
        tcase_add_loop_test(tcase, one_read_for_many, 0, 3);
        tcase_add_loop_test(tcase, ids_may_be_ahead_of_the_node, 0, 4);
        tcase_add_test(tcase, a_new_journal_has_other_ends);
        tcase_add_test(tcase, an_update_undoes_an_end);
        tcase_add_loop_test(tcase, foreign_notes_are_passed_by, 0,
                            sizeof foreign / sizeof *foreign);
        tcase_add_test(tcase, used_up_positions_are_reported);
        tcase_add_test(tcase, what_is_deleted_in_front_of_an_own_update_is_missed);
        tcase_add_loop_test(tcase, damaged_topics_are_not_listed, 0,
                            sizeof topic_damages / sizeof *topic_damages);
        tcase_add_loop_test(tcase, foreign_names_are_passed_by_at_the_start, 0,
                            sizeof foreign_names / sizeof *foreign_names);
        tcase_add_test(tcase, an_epoch_with_a_nul_is_refused);
        tcase_add_test(tcase, entries_out_of_order_are_not_loaded);
    }
    return suite;
}

RUN_JOURNALS(make_suite)
