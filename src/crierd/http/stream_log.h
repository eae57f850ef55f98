#ifndef CRIERD_STREAM_LOG_H
#define CRIERD_STREAM_LOG_H

#include "request.h"

/* Remembers for the log who REQUEST is from, which STREAM is the response to: while the
 * level of the log is debug. Before the response is queued. */
void stream_log_begin(const struct request *request, const struct crier_stream *stream);

/* Logs that STREAM has ended for REASON, at debug level. What is not remembered of it is
 * missing; its path is then PATH. In its on_closed. Any thread. */
void stream_log_end(struct crier_stream *stream, const char *path, const char *reason);

#endif
