/*
 * A fuzz target for the journal in a file: what becomes of one that was damaged. The
 * files are made once, at the start: a journal that was closed, of small pages, so
 * that little of it is empty; and the same with a write-ahead log, as a crash leaves
 * it. The input is what is done to them:
 *
 *   1         0: without the log, 1: with it
 *   then      a byte for what is done, modulo 8, and three that say where and how:
 *   0 at value    the byte there becomes VALUE   4 at page  a page is copied over
 *   1 at value    and is its exclusive or        5 at -     64 bytes become zeros
 *   2 at value    2 bytes, and                   6 at -     the file ends there
 *   3 at value    8 bytes become `numbers`[VALUE]
 *   7 - which value   the statement `edits`[WHICH] is run with `values`[VALUE]
 *
 * (digits and letters in the seed corpus; all are taken modulo what there is). With 8
 * added to the first byte, it is done to the log. The statements come first: they make
 * a sound database that says strange things, which no check of SQLite's finds.
 *
 * What must hold:
 *
 *   - the journal is refused with a reason, or opened; and what is refused has not
 *     been changed, neither file nor log;
 *   - in one that is opened every question is answered within seconds; what is read
 *     could be sent to anybody: it is UTF-8, one event and no more in each frame, with
 *     positions that rise;
 *   - what can be appended can be read, and the journal can be closed and opened again;
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

/* ---- questions -------------------------------------------------------- */

static struct crier_journal *journal;
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
    crier_frame_unref(frame);
    journal->ops->append(journal, &question);
    wait_for_answer();
    MUST(question.error == 0 || question.error == CRIER_ERR_STORAGE ||
         question.error == CRIER_ERR_EXISTS ||
         question.error == CRIER_ERR_TOPIC_ENDED ||
         question.error == CRIER_ERR_MAX_TOPICS);
    position = question.error == 0 ? question.update->position : 0;
    MUST(question.error != 0 || position != 0);
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

/* Reads all that TOPIC has, from where it says. Whether POSITION is among it; true
 * when it cannot be read. */
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
                               .max_bytes = 300};
    uint64_t last = 0;
    bool found = false;
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

/* Asks all there is to be asked, and appends. Whether that was possible. */
static bool use(void)
{
    static const char *const topics[] = {"a", "b", "old", "new"};
    char reason[128] = "";
    uint64_t position;
    size_t i;

    (void)journal->ops->status(journal, reason);
    MUST(memchr(reason, '\0', sizeof reason) != NULL);
    list_topics();
    read_all("*", CRIER_SINCE_ALL, 0, NULL, 0);
    read_all("o*", CRIER_SINCE_ALL, 0, NULL, 0);
    read_all("a", CRIER_SINCE_LAST, 2, NULL, 0);
    read_all("$hidden", CRIER_SINCE_TIME, 1000, NULL, 0);
    read_all("*", CRIER_SINCE_ID, 0, "mine", 0);
    append("a,b", "mine", "again");
    position = append("a,b,old,new", NULL, "after");
    if (position != 0) {
        for (i = 0; i < COUNT(topics); i++)
            MUST(read_all(topics[i], CRIER_SINCE_ALL, 0, NULL, position));
        MUST(read_all("*", CRIER_SINCE_LAST, 1, NULL, position));
        MUST(read_all("ne*", CRIER_SINCE_LAST, 1, NULL, position));
    }
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
    crier_journal_free(journal);
    run("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;"
        "UPDATE journal SET epoch = 'fuzz', time = 1000000000000;"
        "UPDATE updates SET time = 1000000000000 - 7 + position;"
        "UPDATE topics SET due = NULL;",
        NULL);
    MUST(open_journal(reason) == 0);
    crier_journal_free(journal);
    closed = read_file(path);
}

static void stop(void)
{
    remove_files();
    (void)rmdir(directory);
    sem_destroy(&done);
    free(closed.at);
    free(crashed.at);
    free(crashed_log.at);
}

static void start(void)
{
    char reason[256];

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
    for (i = 1; i + 4 <= size; i += 4)
        if (input[i] % 8 == 7)
            run(edits[input[i + 2] % COUNT(edits)],
                values[input[i + 3] % COUNT(values)]);
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

/* ---- the target ------------------------------------------------------- */

static void check_unchanged(const char *name, struct bytes before)
{
    struct bytes now = read_file(name);

    MUST(now.length == before.length);
    MUST(memcmp(now.at, before.at, now.length) == 0);
    free(now.at);
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
    error = open_journal(reason);
    if (error == 0) {
        good = use();
        crier_journal_free(journal);
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
    MUST(next_descriptor() == lowest_free);
    free(before.at);
    free(log.at);
    return 0;
}
