#ifndef BENCH_HEADS_H
#define BENCH_HEADS_H

/* The request fields that a client sends after its request line, each with CR LF. */
enum head {
    HEAD_CURL,   /* curl -H 'Accept: text/event-stream' */
    HEAD_CHROME, /* Chrome's EventSource, 700 bytes */
    HEAD_PROXY,  /* HEAD_CHROME through nginx: X-Forwarded-*, 500 bytes of cookies */
    HEAD_COOKIE, /* HEAD_CHROME with 2 KB of cookies */
    HEADS
};

/* Returns the fields of HEAD. Constant. */
const char *head_fields(enum head head);

#endif
