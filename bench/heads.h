#ifndef BENCH_HEADS_H
#define BENCH_HEADS_H

/* What a client sends behind its request line, as field lines with their CR LF. */
enum head {
    HEAD_CURL,   /* curl -H 'Accept: text/event-stream' */
    HEAD_CHROME, /* Chrome's EventSource, 700 bytes */
    HEAD_PROXY,  /* the same by way of nginx, with X-Forwarded-* and a cookie of
                    500 bytes */
    HEAD_COOKIE, /* Chrome's, with a cookie of 2 KB */
    HEADS
};

/* The fields of HEAD. The text stays. */
const char *head_fields(enum head head);

#endif
