/*
 * GET /export: the journal as it is, for POST /import of another crierd.
 *
 * It is a stream of all topics that ends with what is held at the time (`once`), in JSON,
 * with the grants of every topic. So the shard reads the journal in batches and pauses for
 * a slow client as for any other, and no read of the journal lasts longer than a batch.
 *
 * The body ends with its connection, which tells a client nothing. Therefore the last line
 * is {"event":"end"}; a client without it asks again, after the last id that it has got.
 * A line without an id is no update: the end, a gap, and the empty lines of keep-alives.
 *
 * Topics whose names begin with '$' are not exported: who is present here is of no meaning
 * elsewhere.
 */
#include <config.h>

#include "export.h"

#include "crierd/http/respond.h"
#include "crierd/metrics/kinds.h"
#include "parameter.h"
#include "streams.h"

#include <errno.h>

bool export_get(struct request *request)
{
    static const struct crier_selector every_topic = {.text = "*"};
    const char *after = parameter_value(request, "after", NULL);
    struct stream_start start = {
        .options = {.kind = STREAM_TOPICS,
                    .format = CRIER_FORMAT_JSON,
                    .on_closed = respond_stream_closed,
                    .closure = (void *)"/export"},
        .begin = streams_poll,
        .subscription = {.topics = "*",
                         .since = after != NULL ? CRIER_SINCE_ID : CRIER_SINCE_ALL,
                         .id = after,
                         .once = true,
                         .end_line = true},
    };
    bool result;

    if (crier_grants_new(&every_topic, 1, &start.grants) != 0)
        return respond_error(request, -ENOMEM);
    result = streams_open(request, &start);
    crier_grants_unref(start.grants);
    return result;
}
