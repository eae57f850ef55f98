#ifndef CRIER_AUTOMATON_H
#define CRIER_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Nondeterministic automata over bytes: what compiled selectors consist of. Constant once
 * made. Any thread.
 */

/* An automaton has no more states. */
#define CRIER__STATES_MAX 1024

/* The sum of the widths of its parts: about how many states a part can add to those that
 * a text is in at once. */
#define CRIER__WIDTH_MAX 32

/* What a state does with a byte; those that take none are passed at once. */
enum crier__state_op {
    CRIER__OP_BYTE,   /* takes `byte` */
    CRIER__OP_EXCEPT, /* takes any byte but `byte`; 0: any */
    CRIER__OP_SPLIT,  /* no byte: goes on at the next state, and at `to` */
    CRIER__OP_JUMP,   /* no byte: goes on at `to` */
    CRIER__OP_EITHER, /* takes `byte`, or its triplet with the two states behind it */
    CRIER__OP_EITHER_HIGH,
    CRIER__OP_EITHER_LOW,
    CRIER__OP_VALUE, /* takes characters of a template's value again and again, or goes on
                        behind the two states that belong to it, in which it is within a
                        triplet */
    CRIER__OP_VALUE_HIGH,
    CRIER__OP_VALUE_LOW,
    CRIER__OP_MATCH /* the end */
};

struct crier__state {
    uint8_t op;
    uint8_t byte;   /* of OP_VALUE: one more that it takes; 0: none */
    bool reserved;  /* OP_VALUE takes reserved characters */
    uint16_t to;
    uint16_t limit; /* how many characters OP_VALUE takes */
};

struct crier__automaton {
    unsigned count;
    struct crier__state states[];
};

/* An automaton while it is made. All zero at first. */
struct crier__compiler {
    unsigned count;
    unsigned width; /* of all parts that match more than a text: at most
                       CRIER__WIDTH_MAX */
    bool failed;    /* it has too many states, or too many wide parts */
    struct crier__state states[CRIER__STATES_MAX];
};

/* Adds a state, and returns its number. */
unsigned crier__compiler_add(struct crier__compiler *compiler,
                             enum crier__state_op op, char byte);

/* Adds a state that goes on at TO, and at the next one if OP is CRIER__OP_SPLIT. */
void crier__compiler_add_way(struct crier__compiler *compiler,
                             enum crier__state_op op, unsigned to);

/* Makes the state FROM go on at the next one that is added. */
void crier__compiler_lead_here(struct crier__compiler *compiler, unsigned from);

/* Ends COMPILER, and writes a *new* automaton to *AUTOMATON; free() it.
 * CRIER_ERR_SELECTOR: it has too many states, or is too wide; -ENOMEM. */
int crier__compiler_finish(struct crier__compiler *compiler,
                           struct crier__automaton **automaton);

/* Whether AUTOMATON takes the LENGTH bytes at TEXT. STEPS, if not NULL, is raised by the
 * number of states that were looked at: at most three times all for each byte. */
bool crier__automaton_match(const struct crier__automaton *automaton,
                            const char *text, size_t length, size_t *steps);

/* ---- characters of URIs ----------------------------------------------- */

/* Whether C is a letter or digit of ASCII. */
bool crier__uri_alphanumeric(unsigned char c);

/* Whether C is a hexadecimal digit, in either case. */
bool crier__uri_hex(unsigned char c);

/* Whether C is unreserved, also in an IRI. */
bool crier__uri_unreserved(unsigned char c);

/* Whether C is reserved (RFC 3986, section 2.2). */
bool crier__uri_reserved(unsigned char c);

/* Whether a triplet begins at TEXT, of which LENGTH bytes are left. */
bool crier__uri_triplet(const char *text, size_t length);

#endif
