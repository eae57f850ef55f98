#ifndef CLUSTER_ORACLE_H
#define CLUSTER_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_DATA_MAX 512

/* An update. */
struct update {
    uint32_t topic;
    bool has_id;      /* of its publisher; it is published again until it is acknowledged */
    bool again;       /* it may have been published more than once */
    bool acked;       /* a node has acknowledged it */
    bool held;        /* the journal had it at the last check */
    bool late;        /* the same, but behind the last update that clients waited for */
    bool lost;        /* it was acknowledged, and lost by a fault that may do that */
    uint64_t position; /* 0: not known */
    uint64_t sent, acked_at; /* ns */
};

/* A position, and the update that has it. */
struct holder {
    uint64_t position;
    uint32_t number; /* 0: free */
};

struct oracle {
    struct update *updates; /* by number, from 1 */
    uint32_t made, capacity;
    uint32_t checked; /* updates up to here have been checked for losses */
    uint32_t topics;
    struct holder *holders; /* a table hashed by position */
    size_t holder_count, holder_capacity;
    uint64_t may_lose;     /* when a fault last began that may lose updates, ns; 0: none
                              since the last check */
    bool may_lose_acked;   /* also acknowledged ones */
    uint64_t gaps, losses; /* counts */
};

/* What one client has received. */
struct record {
    uint32_t first, count; /* its topics */
    uint32_t since;   /* it must have the updates after this one */
    uint64_t gap_at;  /* when it was last told a gap, ns */
    uint32_t *log;    /* the numbers since the last check, in order; 0 is a gap */
    size_t length, capacity;
    uint64_t *got;    /* a bit for each number, since the last gap */
    uint64_t *before; /* the same before that */
    size_t words;
};

bool oracle_open(struct oracle *oracle, uint32_t topics);
void oracle_close(struct oracle *oracle);

/* Makes the next update. Returns its number; 0, with a fault, when memory is short. */
uint32_t oracle_make(struct oracle *oracle, uint32_t topic, bool has_id);

/* Returns update NUMBER. */
struct update *oracle_at(const struct oracle *oracle, uint32_t number);

/* Writes the data of update NUMBER, which are always the same. Returns the length. */
size_t oracle_data(const struct oracle *oracle, uint32_t number,
                   char data[ORACLE_DATA_MAX]);

/* Returns the number of the update with these data and ID; 0, with a fault, if it was
 * never published. */
uint32_t oracle_find(struct oracle *oracle, const char *data, size_t length,
                     const char *id);

/* Records that NUMBER has POSITION. Returns false, with a fault, if another update has. */
bool oracle_place(struct oracle *oracle, uint32_t number, uint64_t position);

/* Records that a fault begins that may lose updates that Redis has, ACKED ones too. */
void oracle_expect_loss(struct oracle *oracle, bool acked);

/* Returns whether the client has received update NUMBER. */
bool record_has(const struct record *record, uint32_t number);

/* Begins a record of COUNT topics from FIRST on; made anew by a client that begins now. */
void record_begin(struct record *record, const struct oracle *oracle, uint32_t first,
                  uint32_t count);
void record_free(struct record *record);

/* Takes what a client has received. They return false, with a fault, if it must not. */
bool record_take(struct record *record, struct oracle *oracle, uint32_t number);
bool record_gap(struct record *record, struct oracle *oracle, const char *data);

/* Compares the journal, as it was just read, with what was acknowledged. All clients have
 * received the updates MARKS, one for each topic. */
bool oracle_check_journal(struct oracle *oracle, const struct record *journal,
                          const uint32_t *marks);

/* Compares what a client has received with the journal, and shortens its log. */
bool oracle_check_client(struct oracle *oracle, struct record *record, const char *name);

/* Everything published so far has been checked, but what is late. */
void oracle_end_check(struct oracle *oracle);

#endif
