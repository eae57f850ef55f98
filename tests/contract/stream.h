#ifndef TESTS_CONTRACT_STREAM_H
#define TESTS_CONTRACT_STREAM_H

#include <jansson.h>

/*
 * One stream of the contract test service: a client of libcrier's on a thread of
 * its own, and who is told what it sees. The functions below are for one thread,
 * the service's.
 */
struct stream;

/* Starts the stream that PARAMS (borrowed) ask for, with the number NUMBER, and
 * writes it to *STREAM. Returns an HTTP status: 201; 400 for bad parameters, or
 * 500 when something is short, with *WHY pointing to a static text. */
unsigned stream_start(const json_t *params, unsigned long number,
                      struct stream **stream, const char **why);

/* The number it was given. */
unsigned long stream_number(const struct stream *stream);

/* Does what COMMAND (borrowed) says. Returns an HTTP status: 202; 400 for what is
 * no command, or 500, with *WHY pointing to a static text. */
unsigned stream_command(struct stream *stream, const json_t *command,
                        const char **why);

/* Ends the client, waits for its thread, frees. Nothing is reported after this; a
 * report that is on its way is cut off within a second. */
void stream_stop(struct stream *stream);

#endif
