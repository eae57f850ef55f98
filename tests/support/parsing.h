#ifndef TESTS_PARSING_H
#define TESTS_PARSING_H

#include "crier_client.h"

/* How a stream is cut into chunks. */
struct cuts {
    enum { WHOLE, BY_BYTE, IN_TWO, AT_RANDOM } how;
    size_t at;     /* IN_TWO: the length of the first */
    unsigned seed; /* AT_RANDOM */
    bool low;      /* a chunk begins behind a page that cannot be touched, and
                       does not end before one */
};

/* Feeds the LENGTH bytes at STREAM to PARSER and appends what it tells to the array
 * LOG, each message as an object as the files in tests/parser have it. Returns what
 * the parser returned last: 0 or its error.
 *
 * Each chunk lies next to memory that cannot be touched and cannot be written to.
 * What was read is overwritten before the message is looked at, and gone when the
 * chunk is. Checks what holds for every message, too. */
int feed(struct crier_parser *parser, const char *stream, size_t length,
         struct cuts cuts, json_t *log);

/* The seed of this run: that in the environment variable CRIER_SEED, or the
 * time. */
unsigned test_seed(void);

/* A new parser with these limits; 0 is the default. */
struct crier_parser *parser_new(size_t max_line, size_t max_event);

/* The objects of the log, new. */
json_t *log_event(const char *type, size_t type_length, const char *data,
                  size_t length, const char *id, bool has_id);
json_t *log_comment(const char *text, size_t length);
json_t *log_retry(uint64_t retry);

/* LOG is EXPECTED; otherwise the test fails, and prints both and the words of
 * FORMAT. */
void log_check(const json_t *log, const json_t *expected, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

#endif
