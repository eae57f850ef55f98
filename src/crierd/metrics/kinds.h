#ifndef CRIERD_KINDS_H
#define CRIERD_KINDS_H

#include "crier.h"

/* The kinds of streams that crierd counts apart: STREAM_NAME, and the text that metrics
 * have for it. */
#define STREAM_KINDS(KIND)                                                             \
    KIND(STREAM_TOPICS, "topics")   /* GET /topics, and what else reads topics */      \
    KIND(STREAM_MERCURE, "mercure") /* the Mercure protocol */                         \
    KIND(STREAM_STATS, "stats")     /* the statistics */                               \
    KIND(STREAM_CHAT, "chat")       /* those from here on are the demo's */            \
    KIND(STREAM_EVENTS, "events")                                                      \
    KIND(STREAM_QUOTES, "quotes")                                                      \
    KIND(STREAM_TICKS, "ticks")                                                        \
    KIND(STREAM_TOKENS, "tokens")

#define STREAM_KINDS_ENUM(kind, text) kind,

/* For crier_stream_options.kind. */
enum stream_kind { STREAM_KINDS(STREAM_KINDS_ENUM) STREAM_KIND_COUNT };

/* The texts of the kinds, and of the reasons for which streams end: the values of the labels
 * "kind" and "reason" of metrics. */
extern const char *const stream_kind_texts[STREAM_KIND_COUNT];
extern const char *const stream_reason_texts[CRIER_REASON_COUNT];

#endif
