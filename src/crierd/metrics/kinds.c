/* What the kinds of streams, and the reasons for which they end, are called. */
#include <config.h>

#include "kinds.h"

const char *const stream_kind_texts[STREAM_KIND_COUNT] = {
#define KIND_TEXT(kind, text) [kind] = text,
    STREAM_KINDS(KIND_TEXT)};

const char *const stream_reason_texts[CRIER_REASON_COUNT] = {
    [CRIER_REASON_APP] = "closed",
    [CRIER_REASON_SHUTDOWN] = "shutdown",
    [CRIER_REASON_LEFT] = "left",
    [CRIER_REASON_DEAD_PEER] = "dead-peer",
    [CRIER_REASON_SLOW] = "slow",
    [CRIER_REASON_MEMORY] = "memory",
    [CRIER_REASON_TRANSPORT] = "transport",
    [CRIER_REASON_JOURNAL] = "journal",
    [CRIER_REASON_ENDED] = "ended",
    [CRIER_REASON_EXPIRED] = "expired",
    [CRIER_REASON_UNSENT] = "unsent",
};
