/*
 * The lines of streams that have ended.
 *
 * They are at debug level: an operator of ten thousand clients does not want a line for
 * each of them, when it has one for its beginning already. Such a line names the client, the
 * subject and the path, which are those of the stream's request. To keep them with every
 * stream would cost each idle client some hundred bytes; so they are kept only while the
 * level is debug, in a table by streams. The line of a stream that began before that has the
 * path of its route, the bytes and the reason.
 *
 * A record is in the table from before its response is queued until the stream's on_closed,
 * which runs once and later; so a stream of another life at the same address finds none.
 *
 * The lock is held to look up, to add and to remove a record alone.
 */
#include <config.h>

#include "stream_log.h"

#include "base/clock.h"
#include "crierd/log/log.h"
#include "crierd/net/peer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A stream, and what its request knew. */
struct stream_record {
    UT_hash_handle hh;
    const struct crier_stream *stream; /* a name alone: not to be used */
    struct identity *identity;         /* a reference, or NULL */
    uint64_t received;                 /* crier__clock_us() */
    char client[PEER_TEXT_SIZE];
    size_t path_length;
    char path[];
};

static struct {
    pthread_mutex_t lock; /* guards what follows */
    struct stream_record *records;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void free_record(struct stream_record *record)
{
    identity_unref(record->identity);
    free(record);
}

/* A new record of what REQUEST knows of STREAM; NULL when memory is short. */
static struct stream_record *make_record(const struct request *request,
                                         const struct crier_stream *stream)
{
    size_t length = strcspn(request->target, "?");
    struct stream_record *record = malloc(sizeof *record + length);

    if (record == NULL)
        return NULL;
    record->stream = stream;
    record->identity =
        request->identity != NULL ? identity_ref(request->identity) : NULL;
    record->received = request->received;
    (void)peer_text(request->peer, record->client);
    record->path_length = length;
    memcpy(record->path, request->target, length);
    return record;
}

void stream_log_begin(const struct request *request, const struct crier_stream *stream)
{
    struct stream_record *record = NULL;

    if (log_wants(LOG_DEBUG))
        record = make_record(request, stream);
    if (record == NULL)
        return;
    pthread_mutex_lock(&table.lock);
    HASH_ADD_PTR(table.records, stream, record);
    if (record->hh.tbl == NULL)
        free_record(record);
    pthread_mutex_unlock(&table.lock);
}

/* Takes the record of STREAM out of the table; NULL when there is none. */
static struct stream_record *take_record(const struct crier_stream *stream)
{
    struct stream_record *record;

    pthread_mutex_lock(&table.lock);
    HASH_FIND_PTR(table.records, &stream, record);
    if (record != NULL)
        HASH_DEL(table.records, record);
    pthread_mutex_unlock(&table.lock);
    return record;
}

void stream_log_end(struct crier_stream *stream, const char *path, const char *reason)
{
    struct stream_record *record = take_record(stream);
    struct log_access access = {.path = path,
                                .path_length = strlen(path),
                                .bytes = crier_stream_sent(stream),
                                .reason = reason};

    if (record != NULL) {
        access.path = record->path;
        access.path_length = record->path_length;
        access.client = record->client;
        if (record->identity != NULL)
            access.subject = record->identity->subject;
        access.time = crier__clock_us() - record->received;
    }
    log_access(LOG_DEBUG, &access);
    if (record != NULL)
        free_record(record);
}
