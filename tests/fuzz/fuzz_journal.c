/*
 * A fuzz target for the journal in a file: what becomes of one that was damaged. The
 * files are made once, at the start: a journal that was closed, of small pages, so
 * that little of it is empty; and the same with a write-ahead log, as a crash leaves
 * it. The input is what is done to them:
 *
 *   1         + 1: with the log; + 2: the statements are followed by right sums
 *   then      a byte for what is done, modulo 8, and three that say where and how:
 *   0 at value    the byte there becomes VALUE   4 at page  a page is copied over
 *   1 at value    and is its exclusive or        5 at -     64 bytes become zeros
 *   2 at value    2 bytes, and                   6 at -     the file ends there
 *   3 at value    8 bytes become `numbers`[VALUE]
 *   7 - which value   the statement `edits`[WHICH] is run with `values`[VALUE]
 *
 * (digits and letters in the seed corpus; all are taken modulo what there is). With 8
 * added to the first byte, it is done to the log. The statements come first: they make
 * a sound database that says strange things, which no check of SQLite's finds; and with
 * right sums (as only somebody writes who means to) none of the journal's.
 *
 * What must hold:
 *
 *   - the journal is refused with a reason, or opened; and what is refused has not
 *     been changed, neither file nor log;
 *   - in one that is opened every question is answered within seconds; what is read
 *     could be sent to anybody: it is UTF-8, one event and no more in each frame, with
 *     positions that rise; and a private update is given only to who may see it;
 *   - unless the sums were made right, what is read is what was published. Where one
 *     thing alone is wrong, what is missing has a gap in its place;
 *   - what can be appended can be read, or is in a gap, and the journal can be closed and
 *     opened again;
 *   - a check of the whole file ends, and changes neither file nor log; where nothing is
 *     wrong it finds nothing;
 *   - no descriptor is left.
 *
 * The files lie in memory where that is possible, since each transaction waits for the
 * disk otherwise. The salts of the log are SQLite's, and random; so a find in it may
 * need a few runs to come again.
 */
#include <config.h>

#include "fuzz.h"
#include "journal_damage.h"

#include "crier_client.h"
#include "libcrier/journal/journal.h"
#include "libcrier/journal/sqlite/sqlite.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 512
#define PATIENCE 8 /* s */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- the files -------------------------------------------------------- */

struct bytes {
    char *at;
    size_t length;
};

static char directory[64], path[80], log_path[88];
static struct bytes closed, crashed, crashed_log;

static struct bytes read_file(const char *name)
{
    struct bytes bytes = {.at = malloc((size_t)1 << 20)};
    int file = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    MUST(bytes.at != NULL);
    if (file < 0)
        return bytes;
    got = read(file, bytes.at, (size_t)1 << 20);
    MUST(got >= 0 && got < 1 << 20 && close(file) == 0);
    bytes.length = (size_t)got;
    return bytes;
}

static void write_file(const char *name, const struct bytes *bytes)
{
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    MUST(file >= 0);
    MUST(write(file, bytes->at, bytes->length) == (ssize_t)bytes->length);
    MUST(close(file) == 0);
}

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", "-lock"};
    char name[96];
    size_t i;

    for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static int next_descriptor(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    MUST(file >= 0 && close(file) == 0);
    return file;
}

/* ---- what was published ----------------------------------------------- */

/* The updates of the files that the input is done to, and then those of a run. A position
 * may have two: the log, and with it an update, may be lost. */
static struct crier__update *published[64];
static unsigned published_count, published_before; /* before the run */

static bool forged; /* the input has made wrong sums right */
static unsigned damages; /* how much the input has done */

static void note_published(struct crier__update *update)
{
    MUST(published_count < COUNT(published));
    published[published_count++] = crier__update_ref(update);
}

static void forget_published(unsigned count)
{
    while (published_count > count)
        crier__update_unref(published[--published_count]);
}

static bool same_update(const struct crier__update *one,
                        const struct crier__update *other)
{
    const char *body, *other_body;
    size_t length, other_length;

    body = crier__update_body(one, &length);
    other_body = crier__update_body(other, &other_length);
    return one->position == other->position && one->given == other->given &&
           (!one->given || strcmp(one->id, other->id) == 0) &&
           one->is_private == other->is_private && one->last == other->last &&
           one->topics->size == other->topics->size &&
           memcmp(one->topics->names, other->topics->names,
                  one->topics->size) == 0 &&
           length == other_length && memcmp(body, other_body, length) == 0;
}

static bool was_published(const struct crier__update *update)
{
    unsigned i;

    for (i = 0; i < published_count; i++)
        if (same_update(published[i], update))
            return true;
    return false;
}

/* ---- questions -------------------------------------------------------- */

static struct crier_journal *journal;
static struct crier_grants *grants; /* of "*" and "$*", or NULL; what reads are granted */
static bool append_private, append_last;
static sem_t done;

static void on_append(struct crier__append *append)
{
    (void)append;
    sem_post(&done);
}

static void on_read(struct crier__read *read)
{
    (void)read;
    sem_post(&done);
}

static void on_list(struct crier__list *list)
{
    (void)list;
    sem_post(&done);
}

static void on_forget(struct crier__forget *forget)
{
    (void)forget;
    sem_post(&done);
}

static size_t yield(void *closure, struct crier__update *update)
{
    (void)closure;
    MUST(update->position != 0);
    return 1;
}

static void wait_for_answer(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    while (sem_timedwait(&done, &until) != 0)
        MUST(errno == EINTR);
}

static int open_journal(char reason[256])
{
    static const struct crier_topic_retention topics[] = {
        {"b", {.count = 2}},
        {"old*", {.age = 86400000}},
    };
    const struct crier_journal_options options = {
        .retention = {.count = 1000, .age = UINT64_C(1000000) * 86400000},
        .topics = topics,
        .topic_count = 2,
        .max_topics = 100,
    };
    int error = crier_journal_sqlite(path, &options, &journal, reason, 256);

    if (error == 0)
        journal->yield = yield;
    return error;
}

/* Appends one; its position, or 0 when that cannot be. */
static uint64_t append(const char *topics, const char *id, const char *text)
{
    struct crier__append question = {.done = on_append};
    struct crier__topics *list;
    struct crier_frame *frame;
    uint64_t position;

    MUST(crier_frame_text(NULL, text, &frame) == 0);
    MUST(crier__topics_parse(topics, &list) == 0);
    question.update = crier__update_new(list, id, frame);
    free(list);
    MUST(question.update != NULL);
    question.update->is_private = append_private;
    question.update->last = append_last;
    append_private = append_last = false;
    crier_frame_unref(frame);
    journal->ops->append(journal, &question);
    wait_for_answer();
    MUST(question.error == 0 || question.error == CRIER_ERR_STORAGE ||
         question.error == CRIER_ERR_EXISTS ||
         question.error == CRIER_ERR_TOPIC_ENDED ||
         question.error == CRIER_ERR_MAX_TOPICS);
    position = question.error == 0 ? question.update->position : 0;
    MUST(question.error != 0 || position != 0);
    if (position != 0)
        note_published(question.update);
    crier__update_unref(question.update);
    return position;
}

static int forget(const char *topic)
{
    struct crier__forget question = {.done = on_forget, .topic = topic};

    journal->ops->forget(journal, &question);
    wait_for_answer();
    return question.error;
}

/* ---- what is read ----------------------------------------------------- */

/* That FRAME is one event, or none where it has no data, and nothing else. */
static void check_frame(const struct crier_frame *frame)
{
    struct crier_message message;
    struct crier_parser *parser;
    const char *bytes = frame->bytes;
    size_t length = frame->length;
    int events = 0;

    MUST(crier_utf8_valid(bytes, length));
    MUST(length > 2 && memcmp(bytes + length - 2, "\n\n", 2) == 0);
    MUST(memmem(bytes, length - 1, "\n\n", 2) == NULL);
    MUST(crier_parser_new(NULL, &parser) == 0);
    while (crier_parser_next(parser, &bytes, &length, &message) > 0)
        events += message.kind == CRIER_EVENT;
    MUST(events <= 1 && length == 0);
    crier_parser_free(parser);
}

static void check_update(struct crier__update *update)
{
    struct crier_frame *frame;
    const char *name;
    int format;

    MUST(update->id[0] != '\0' && strpbrk(update->id, "\r\n") == NULL);
    CRIER__TOPICS_EACH (update->topics, name)
        MUST(crier__topic_valid(name, strlen(name)));
    MUST(!update->is_private || grants != NULL);
    MUST(forged || was_published(update));
    check_frame(update->frame);
    for (format = 0; format < CRIER_FORMATS; format++) {
        frame = crier__update_copy(update, (enum crier_format)format);
        MUST(frame != NULL);
        if (format == CRIER_FORMAT_FULL)
            check_frame(frame);
        crier_frame_unref(frame);
    }
}

/* Takes an answer up. Whether POSITION is in it. */
static bool take_answer(struct crier__read *read, uint64_t *last,
                        uint64_t position)
{
    bool found = false;
    unsigned i;

    MUST(read->count <= CRIER__READ_MAX);
    MUST(memchr(read->oldest, '\0', sizeof read->oldest) != NULL);
    for (i = 0; i < read->count; i++) {
        MUST(read->updates[i]->position > *last);
        *last = read->updates[i]->position;
        found |= *last == position;
        check_update(read->updates[i]);
        crier__update_unref(read->updates[i]);
    }
    return found;
}

/* Reads all that TOPIC has, from where it says. Whether POSITION is among it, or may be in
 * a gap; true when it cannot be read, or sums are forged. */
static bool read_all(const char *topic, enum crier_since since, uint64_t number,
                     const char *id, uint64_t position)
{
    struct crier__read_selector selector = {0};
    struct crier__read read = {.done = on_read,
                               .selectors = &selector,
                               .selector_count = 1,
                               .resolve = true,
                               .since = since,
                               .after = journal->ops->last(journal),
                               .number = number,
                               .id = id,
                               .grants = grants,
                               .max_bytes = 300};
    uint64_t last = 0;
    bool found = forged; /* by which everything may be too much */
    int pages = 0;

    MUST(crier__selector_init(&selector.selector,
                              &(struct crier_selector){.text = topic}) == 0);
    do {
        MUST(++pages < 1000);
        journal->ops->read(journal, &read);
        wait_for_answer();
        if (read.error != 0) {
            found = true;
            break;
        }
        MUST(read.resolve || read.end || read.reached > read.after);
        found |= take_answer(&read, &last, position);
        found |= read.gap && damages != 0;
        read.resolve = false;
        read.after = read.reached;
    } while (!read.end);
    crier__selector_done(&selector.selector);
    return found;
}

static void list_topics(void)
{
    static struct crier__topic_info infos[200];
    struct crier__list question = {.done = on_list,
                                   .after = "",
                                   .limit = 200,
                                   .infos = infos};
    struct crier__selectors *all;
    unsigned i;

    MUST(crier__selectors_parse("*,$*", &all) == 0);
    question.selectors = all;
    journal->ops->list(journal, &question);
    wait_for_answer();
    for (i = 0; question.error == 0 && i < question.count; i++) {
        MUST(memchr(infos[i].name, '\0', CRIER__TOPIC_SIZE) != NULL);
        MUST(memchr(infos[i].first, '\0', CRIER__ID_SIZE) != NULL);
        MUST(memchr(infos[i].last, '\0', CRIER__ID_SIZE) != NULL);
    }
    crier__selectors_free(all);
}

/* ---- one that is opened ----------------------------------------------- */

/* Reads from all places that there are. WHOLE: what no limit evicts must be there, or in
 * a gap. */
static void read_everything(bool whole)
{
    uint64_t position;

    for (position = 1; position <= 2; position++) {
        MUST(read_all("a", CRIER_SINCE_ALL, 0, NULL, position) || !whole);
        MUST(read_all("*", CRIER_SINCE_ALL, 0, NULL, position) || !whole);
    }
    read_all("o*", CRIER_SINCE_ALL, 0, NULL, 0);
    read_all("a", CRIER_SINCE_LAST, 2, NULL, 0);
    read_all("$hidden", CRIER_SINCE_TIME, 1000, NULL, 0);
    read_all("*", CRIER_SINCE_ID, 0, "mine", 0);
}

/* Appends an update of each kind that reads treat otherwise. */
static void append_kinds(void)
{
    struct crier__ended ended;
    uint64_t position;

    append_private = true;
    position = append("secret,new", NULL, "private");
    MUST(position == 0 ||
         read_all("secret", CRIER_SINCE_ALL, 0, NULL, position));
    append_last = true;
    append("end,a", NULL, "last");
    (void)crier__journal_ended(journal, "done", &ended);
    append("done", NULL, "not the last one");
}

/* Asks all there is to be asked, and appends. Whether that was possible. WHOLE as above. */
static bool use(bool whole)
{
    static const char *const topics[] = {"a", "b", "old", "new"};
    struct crier_grants *all = grants;
    char reason[128] = "";
    uint64_t position;
    size_t i;

    (void)journal->ops->status(journal, reason);
    MUST(memchr(reason, '\0', sizeof reason) != NULL);
    list_topics();
    read_everything(whole);
    grants = NULL;
    read_everything(whole);
    append("a,b", "mine", "again");
    position = append("a,b,old,new", NULL, "after");
    if (position != 0) {
        for (i = 0; i < COUNT(topics); i++)
            MUST(read_all(topics[i], CRIER_SINCE_ALL, 0, NULL, position));
        MUST(read_all("*", CRIER_SINCE_LAST, 1, NULL, position));
        MUST(read_all("ne*", CRIER_SINCE_LAST, 1, NULL, position));
    }
    grants = all;
    append_kinds();
    forget("a");
    read_all("*", CRIER_SINCE_ALL, 0, NULL, 0);
    return position != 0;
}

/* ---- the start -------------------------------------------------------- */

static void run(const char *sql, const char *value)
{
    sqlite3_stmt *statement;
    sqlite3 *db;

    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    while (*sql != '\0' &&
           sqlite3_prepare_v2(db, sql, -1, &statement, &sql) == SQLITE_OK) {
        if (value != NULL)
            sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
        while (sqlite3_step(statement) == SQLITE_ROW)
            ;
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
}

enum sum { SUM_HEAD, SUM_UPDATE, SUM_TOPIC, SUM_OF_TOPIC, SUM_END, SUM_OF_END,
           SUM_TOTALS, SUM_JOURNAL, SUMS };

static const char *const sums[] = {
    [SUM_HEAD] = "SELECT " CRIER__SQLITE_HEAD ", body FROM updates "
                 "WHERE position > ?1 ORDER BY position LIMIT 1",
    [SUM_UPDATE] = "UPDATE updates SET sum = ?2, body_sum = ?3 "
                   "WHERE position = ?1",
    [SUM_TOPIC] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                  "WHERE topic > ?1 ORDER BY topic LIMIT 1",
    [SUM_OF_TOPIC] = "UPDATE topics SET sum = ?2 WHERE topic = ?1",
    [SUM_END] = "SELECT topic, position, time, id FROM ends "
                "WHERE topic > ?1 ORDER BY topic LIMIT 1",
    [SUM_OF_END] = "UPDATE ends SET sum = ?2 WHERE topic = ?1",
    [SUM_TOTALS] = "SELECT " CRIER__SQLITE_TOTALS " FROM journal",
    [SUM_JOURNAL] = "UPDATE journal SET sum = ?1",
};

/* Makes the sum of the row of TABLE (its statement in `sums`) behind KEY right. Returns
 * its key, or KEY when there is none. */
static int64_t mend_row(struct crier__sql *sql, enum sum table, int64_t key)
{
    sqlite3_stmt *row = crier__sql_begin(sql, table, "u", (uint64_t)key);
    uint64_t sum = 0, body_sum = 0;
    struct crier__sqlite_topic topic;
    struct crier__sqlite_head head;
    struct crier__ended ended;

    if (!crier__sql_row(sql, row))
        return key;
    key = sqlite3_column_int64(row, 0);
    if (table == SUM_HEAD) {
        (void)crier__sqlite_read_head(row, &head);
        body_sum = crier__sqlite_body_sum(head.position,
                                          sqlite3_column_blob(row, 8),
                                          (size_t)sqlite3_column_bytes(row, 8));
        sum = head.topics != NULL ? crier__sqlite_head_sum(&head) : 0;
    } else if (table == SUM_TOPIC) {
        (void)crier__sqlite_read_topic(sql, row, &topic);
        sum = crier__sqlite_topic_sum(&topic);
        crier__sql_clear(sql);
    } else {
        ended.position = crier__sql_number(row, 1);
        crier__sql_text(row, 3, ended.id, sizeof ended.id);
        sum = crier__sqlite_end_sum(key, &ended, sqlite3_column_int64(row, 2));
    }
    crier__sql_end(row);
    crier__sql_run(sql, table + 1, table == SUM_HEAD ? "uuu" : "uu",
                   (uint64_t)key, sum, body_sum);
    return key;
}

/* Makes all sums right. */
static void mend_sums(void)
{
    static const enum sum tables[] = {SUM_HEAD, SUM_TOPIC, SUM_END};
    char epoch[CRIER__EPOCH_SIZE];
    struct crier__totals totals;
    int64_t key, before;
    struct crier__sql sql = {0};
    sqlite3_stmt *row;
    size_t i;

    (void)crier__sql_open(&sql, path, sums, SUMS);
    for (i = 0; i < COUNT(tables); i++) {
        key = INT64_MIN;
        do {
            before = key;
            key = mend_row(&sql, tables[i], key);
        } while (key != before);
        crier__sql_clear(&sql); /* a table may be missing */
    }
    row = crier__sql_begin(&sql, SUM_TOTALS, "");
    if (crier__sql_row(&sql, row)) {
        (void)crier__sqlite_read_totals(&sql, row, &totals, epoch);
        crier__sql_end(row);
        crier__sql_clear(&sql);
        crier__sql_run(&sql, SUM_JOURNAL, "u",
                       crier__sqlite_totals_sum(&totals, epoch));
    }
    crier__sql_close(&sql);
}

static void fill(void)
{
    char reason[256], text[16];
    int i;

    MUST(open_journal(reason) == 0);
    append("a", "mine", "first");
    append("$hidden,a", NULL, "second");
    for (i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%d\n%d", i, i);
        append("b,old", NULL, text);
    }
    append("gone", NULL, "gone");
    MUST(forget("gone") == 0);
    append_private = true;
    append("secret,a", NULL, "private");
    append_last = true;
    append("done", NULL, "last");
    crier_journal_free(journal);
    run("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;"
        "UPDATE journal SET epoch = 'fuzz', time = 1000000000000;"
        "UPDATE updates SET time = 1000000000000 - 9 + position;"
        "UPDATE ends SET time = 1000000000000, id = '#fuzz-9';"
        "UPDATE topics SET due = NULL;",
        NULL);
    mend_sums();
    MUST(open_journal(reason) == 0);
    crier_journal_free(journal);
    closed = read_file(path);
}

static void stop(void)
{
    forget_published(0);
    crier_grants_unref(grants);
    remove_files();
    (void)rmdir(directory);
    sem_destroy(&done);
    free(closed.at);
    free(crashed.at);
    free(crashed_log.at);
}

static void start(void)
{
    static const struct crier_selector all[] = {{.text = "*"}, {.text = "$*"}};
    char reason[256];

    MUST(crier_grants_new(all, COUNT(all), &grants) == 0);
    MUST(sem_init(&done, 0, 0) == 0);
    strcpy(directory, "/dev/shm/crier-fuzz-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        strcpy(directory, "/tmp/crier-fuzz-XXXXXX");
        MUST(mkdtemp(directory) != NULL);
    }
    snprintf(path, sizeof path, "%s/journal", directory);
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    fill();
    MUST(open_journal(reason) == 0);
    append("a,late", "late", "in the log");
    append("b", NULL, "in the log, too");
    crashed = read_file(path);
    crashed_log = read_file(log_path);
    published_before = published_count;
    crier_journal_free(journal);
    MUST(crashed_log.length != 0 && atexit(stop) == 0);
}

/* ---- damage ----------------------------------------------------------- */

static void put_number(struct bytes *bytes, size_t at, uint64_t number,
                       size_t size)
{
    for (; size-- > 0 && at < bytes->length; at++)
        bytes->at[at] = (char)(number >> 8 * size);
}

/* Does what the four bytes ORDER say. */
static void damage(struct bytes *bytes, const uint8_t *order)
{
    size_t at = (size_t)order[1] << 8 | order[2], from;

    if (bytes->length <= PAGE)
        return;
    at %= bytes->length;
    switch (order[0] % 8) {
    case 0:
    case 1:
        bytes->at[at] =
            (char)(order[0] % 8 == 0 ? order[3] : bytes->at[at] ^ order[3]);
        break;
    case 2:
    case 3:
        put_number(bytes, at, numbers[order[3] % COUNT(numbers)],
                   order[0] % 8 == 2 ? 2 : 8);
        break;
    case 4:
        from = order[3] * PAGE % (bytes->length - PAGE + 1);
        memmove(bytes->at + at % (bytes->length - PAGE + 1), bytes->at + from,
                PAGE);
        break;
    case 5:
        memset(bytes->at + at, 0,
               bytes->length - at < 64 ? bytes->length - at : 64);
        break;
    case 6:
        bytes->length = at;
        break;
    }
}

/* Makes the files that INPUT describes. */
static void make_files(const uint8_t *input, size_t size)
{
    bool with_log = size != 0 && input[0] % 2 != 0;
    struct bytes bytes, log;
    size_t i;

    remove_files();
    write_file(path, with_log ? &crashed : &closed);
    if (with_log)
        write_file(log_path, &crashed_log);
    damages = 0;
    for (i = 1; i + 4 <= size; i += 4, damages++)
        if (input[i] % 8 == 7)
            run(edits[input[i + 2] % COUNT(edits)],
                values[input[i + 3] % COUNT(values)]);
    forged = size != 0 && (input[0] & 2) != 0;
    if (forged)
        mend_sums();
    bytes = read_file(path);
    log = read_file(log_path);
    for (i = 1; i + 4 <= size; i += 4)
        damage(input[i] & 8 ? &log : &bytes, input + i);
    write_file(path, &bytes);
    if (log.length != 0)
        write_file(log_path, &log);
    free(bytes.at);
    free(log.at);
}

/* Whether one thing alone is wrong: what INPUT says is done to one place. */
static bool is_single(const uint8_t *input)
{
    return damages == 0 ||
           (damages == 1 && (input[1] % 8 <= 3 || input[1] % 8 == 7));
}

/* ---- the target ------------------------------------------------------- */

static void check_unchanged(const char *name, struct bytes before)
{
    struct bytes now = read_file(name);

    MUST(now.length == before.length);
    MUST(memcmp(now.at, before.at, now.length) == 0);
    free(now.at);
}

/* Checks the whole file. */
static void check_file(void)
{
    char reason[256] = "";
    int error = crier_journal_check(path, reason, sizeof reason);

    MUST(error == 0 || reason[0] != '\0');
    MUST(error == 0 || (damages != 0 && (error == CRIER_ERR_DAMAGED ||
                                         error == CRIER_ERR_STORAGE)));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct bytes before, log;
    char reason[256] = "";
    bool good = false;
    int error, lowest_free;

    if (directory[0] == '\0')
        start();
    if (size > 1 + 4 * 8) /* more damage is no better */
        size = 1 + 4 * 8;
    make_files(input, size);
    before = read_file(path);
    log = read_file(log_path);
    lowest_free = next_descriptor(); /* what runs this opens some, too */
    check_file();
    check_unchanged(path, before);
    check_unchanged(log_path, log);
    error = open_journal(reason);
    MUST(error == 0 || damages != 0);
    if (error == 0) {
        good = use(!forged && is_single(input));
        crier_journal_free(journal);
        check_file();
        error = open_journal(reason);
        MUST(error == 0 || !good);
        if (error == 0)
            crier_journal_free(journal);
    } else {
        MUST(error == CRIER_ERR_DAMAGED || error == CRIER_ERR_STORAGE ||
             error == CRIER_ERR_SEPARATED); /* the file is empty */
        MUST(reason[0] != '\0');
        check_unchanged(path, before);
        check_unchanged(log_path, log);
    }
    forget_published(published_before);
    MUST(next_descriptor() == lowest_free);
    free(before.at);
    free(log.at);
    return 0;
}
