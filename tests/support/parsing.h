#ifndef TESTS_PARSING_H
#define TESTS_PARSING_H

#include "crier_client.h"

/* How a stream is cut into chunks. */
struct cuts {
    enum { WHOLE, BY_BYTE, IN_TWO, AT_RANDOM } how;
    size_t at;     /* IN_TWO: the length of the first */
    unsigned seed; /* AT_RANDOM */
    bool low;      /* a chunk begins right behind an inaccessible page, instead of
                       ending right before one */
};

/* Feeds the LENGTH bytes at STREAM to PARSER and appends its messages to the array LOG,
 * in the format of the files in tests/parser. Returns the last result of the parser: 0
 * or an error.
 *
 * Each chunk is read-only and lies next to inaccessible memory. The bytes that the
 * parser read are overwritten before the message is looked at, and the chunk is
 * inaccessible when it is used up. Also checks what must hold for every message. */
int feed(struct crier_parser *parser, const char *stream, size_t length,
         struct cuts cuts, json_t *log);

/* Returns the seed of this run: $CRIER_SEED, or else the time. */
unsigned test_seed(void);

/* Returns a new parser with these limits, in bytes; 0 means the default. */
struct crier_parser *parser_new(size_t max_line, size_t max_event);

/* Return new objects as the log has them. */
json_t *log_event(const char *type, size_t type_length, const char *data,
                  size_t length, const char *id, bool has_id);
json_t *log_comment(const char *text, size_t length);
json_t *log_retry(uint64_t retry);

/* Fails unless LOG equals EXPECTED, and then prints both and the text of FORMAT. */
void log_check(const json_t *log, const json_t *expected, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

#endif
