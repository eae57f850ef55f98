#ifndef CRIERD_RESPOND_H
#define CRIERD_RESPOND_H

#include "request.h"

/* All of these send a response to REQUEST, log it and return what the handler returns
 * (response.h). */

/* With plain text (copied). */
bool respond_text(struct request *request, unsigned status, const char *text);

/* With 200 and BODY, a text of TYPE from malloc() that is stolen; NULL means that memory was
 * short. */
bool respond_made(struct request *request, const char *type, char *body);

/* With JSON (VALUE is stolen; NULL means that memory was short). */
bool respond_json(struct request *request, unsigned status, json_t *value);

/* The same with JSON as text (copied). */
bool respond_json_text(struct request *request, unsigned status,
                       const char *text);

/* With headers only. */
bool respond_empty(struct request *request, unsigned status);

/* With problem details (RFC 9457) whose detail is the formatted text. 503 gets
 * a Retry-After. */
bool respond_problem(struct request *request, unsigned status,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the members of MORE (stolen; NULL for none) beside those that problem
 * details have. */
bool respond_problem_with(struct request *request, unsigned status, json_t *more,
                          const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* 400, 401 or 403 for want of a token that allows what REQUEST asks for, with a challenge
 * (RFC 6750 section 3): ERROR is its error code, or NULL, and DETAIL a constant text. */
bool respond_challenge(struct request *request, unsigned status,
                       const char *error, const char *detail);

/* 413: the body of REQUEST has more than MAX bytes. */
bool respond_too_large(struct request *request, size_t max);

/* 403: a page of another origin made REQUEST (request_is_foreign()). The detail has the
 * values from which that was concluded. */
bool respond_cross_site(struct request *request);

/* 405 or, to OPTIONS, 204; both with ALLOW, the methods that the resource has. */
bool respond_allow(struct request *request, const char *allow);

/* Reads the body as JSON, by jansson's FLAGS: a new value, or NULL when it is not JSON and
 * that has been responded (request->result). */
json_t *request_read_json(struct request *request, size_t flags);

/* 429 with problem details whose detail is DETAIL, a constant text: REQUEST may be sent
 * again in SECONDS. */
bool respond_limited(struct request *request, uint64_t seconds, const char *detail);

/* With problem details for an ERROR of libcrier. */
bool respond_error(struct request *request, int error);

/* The same with REASON, which says more where the journal failed. */
bool respond_failure(struct request *request, int error, const char *reason);

/* The same for the NUMBERth of many, of which WHAT ("event") is the name, with the members
 * of MORE (borrowed; NULL for none) beside those that problem details have. */
bool respond_failure_of(struct request *request, const char *what, size_t number,
                        int error, const char *reason, json_t *more);

/* With 200 and an event stream that only tells its client when to reconnect, as streams end
 * when crierd stops: after 503 an EventSource does not reconnect (HTML 9.2.2). */
bool respond_goodbye(struct request *request);

/* Makes a stream for REQUEST; *RESPONSE is to be sent with response_stream(). When that is
 * impossible, or the method is HEAD, responds at once, returns false, and request->result
 * is what the handler returns. While crierd stops, the response is respond_goodbye()'s if
 * RECONNECTS. */
bool respond_stream(struct request *request,
                    const struct crier_stream_options *options, bool reconnects,
                    struct crier_stream **stream, struct MHD_Response **response);

/* The on_closed of streams that have nothing else to do: logs the end of the
 * stream whose path is CLOSURE, a constant string. */
void respond_stream_closed(void *closure, struct crier_stream *stream,
                           enum crier_reason reason);

#endif
