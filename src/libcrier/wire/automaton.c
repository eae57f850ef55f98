/*
 * Automata: what compiled selectors are matched with.
 *
 * A text is read once, byte by byte, with the set of the states that the automaton may be
 * in. So matching takes no more steps than states times bytes, whatever the selector is;
 * nothing is tried twice.
 *
 * How many characters a value with a limit has is kept for each state, and of two ways
 * into a state only the smaller number: it allows all that the larger one does. (States
 * for each number were rejected: {a:500} would be 500 of them.)
 *
 * Parts that match more than a text have a width, and the sum is bounded: each adds
 * states in which a text may be at once with those of all others.
 */
#include <config.h>

#include "automaton.h"

#include "crier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- characters ------------------------------------------------------- */

/* What a byte is in a URI. */
enum {
    CLASS_DIGIT = 1,
    CLASS_LETTER = 2,
    CLASS_HEX = 4,
    CLASS_UNRESERVED = 8,
    CLASS_RESERVED = 16
};

#define DIGIT (CLASS_DIGIT | CLASS_HEX | CLASS_UNRESERVED)
#define LETTER (CLASS_LETTER | CLASS_UNRESERVED)

static const uint8_t classes[256] = {
    ['0' ... '9'] = DIGIT,
    ['A' ... 'F'] = LETTER | CLASS_HEX,
    ['G' ... 'Z'] = LETTER,
    ['a' ... 'f'] = LETTER | CLASS_HEX,
    ['g' ... 'z'] = LETTER,
    ['-'] = CLASS_UNRESERVED,
    ['.'] = CLASS_UNRESERVED,
    ['_'] = CLASS_UNRESERVED,
    ['~'] = CLASS_UNRESERVED,
    [0x80 ... 0xff] = CLASS_UNRESERVED,
    ['!'] = CLASS_RESERVED,
    ['#'] = CLASS_RESERVED,
    ['$'] = CLASS_RESERVED,
    ['&' ... ','] = CLASS_RESERVED,
    ['/'] = CLASS_RESERVED,
    [':'] = CLASS_RESERVED,
    [';'] = CLASS_RESERVED,
    ['='] = CLASS_RESERVED,
    ['?'] = CLASS_RESERVED,
    ['@'] = CLASS_RESERVED,
    ['['] = CLASS_RESERVED,
    [']'] = CLASS_RESERVED,
};

bool crier__uri_alphanumeric(unsigned char c)
{
    return (classes[c] & (CLASS_DIGIT | CLASS_LETTER)) != 0;
}

bool crier__uri_hex(unsigned char c)
{
    return (classes[c] & CLASS_HEX) != 0;
}

bool crier__uri_unreserved(unsigned char c)
{
    return (classes[c] & CLASS_UNRESERVED) != 0;
}

bool crier__uri_reserved(unsigned char c)
{
    return (classes[c] & CLASS_RESERVED) != 0;
}

bool crier__uri_triplet(const char *text, size_t length)
{
    return length >= 3 && text[0] == '%' && crier__uri_hex((unsigned char)text[1]) &&
           crier__uri_hex((unsigned char)text[2]);
}

/* ---- making ----------------------------------------------------------- */

unsigned crier__compiler_add(struct crier__compiler *compiler,
                             enum crier__state_op op, char byte)
{
    if (compiler->count == CRIER__STATES_MAX) {
        compiler->failed = true;
        return 0;
    }
    compiler->states[compiler->count] =
        (struct crier__state){.op = (uint8_t)op, .byte = (uint8_t)byte};
    return compiler->count++;
}

void crier__compiler_add_way(struct crier__compiler *compiler,
                             enum crier__state_op op, unsigned to)
{
    compiler->states[crier__compiler_add(compiler, op, 0)].to = (uint16_t)to;
}

void crier__compiler_lead_here(struct crier__compiler *compiler, unsigned from)
{
    compiler->states[from].to = (uint16_t)compiler->count;
}

int crier__compiler_finish(struct crier__compiler *compiler,
                           struct crier__automaton **automaton)
{
    struct crier__automaton *made;
    size_t size;

    crier__compiler_add(compiler, CRIER__OP_MATCH, 0);
    if (compiler->failed || compiler->width > CRIER__WIDTH_MAX)
        return CRIER_ERR_SELECTOR;
    size = compiler->count * sizeof compiler->states[0];
    made = malloc(sizeof *made + size);
    if (made == NULL)
        return -ENOMEM;
    made->count = compiler->count;
    memcpy(made->states, compiler->states, size);
    *automaton = made;
    return 0;
}

/* ---- matching --------------------------------------------------------- */

/* The states in which a topic may be, without those that take no byte. */
struct set {
    unsigned count;
    uint16_t members[CRIER__STATES_MAX];
    uint16_t used[CRIER__STATES_MAX]; /* by state: how many characters its value has */
};

struct matcher {
    const struct crier__state *states;
    struct set sets[2];
    uint16_t seen[CRIER__STATES_MAX]; /* by state: the last round that added it */
    uint16_t round;            /* the number of bytes read, and one */
    size_t steps;
};

/* Adds the state number AT, in which a value has USED characters, to SET, unless it is
 * there. Writes the states that it leads to without a byte to NEXT, and returns how many
 * they are. */
static unsigned add_to_set(struct matcher *matcher, struct set *set, unsigned at,
                           uint16_t used, uint16_t next[2])
{
    const struct crier__state *state = &matcher->states[at];

    matcher->steps++;
    if (matcher->seen[at] == matcher->round) {
        if (state->op >= CRIER__OP_VALUE && used < set->used[at])
            set->used[at] = used;
        return 0;
    }
    matcher->seen[at] = matcher->round;
    next[0] = state->to;
    next[1] = (uint16_t)(at + 1);
    if (state->op == CRIER__OP_SPLIT)
        return 2;
    if (state->op == CRIER__OP_JUMP)
        return 1;
    set->members[set->count++] = (uint16_t)at;
    set->used[at] = used;
    next[0] = (uint16_t)(at + 3);
    return state->op == CRIER__OP_VALUE;
}

/* Adds the state number AT, with USED characters, and all that it leads to without a byte
 * to SET. */
static void enter_state(struct matcher *matcher, struct set *set, unsigned at,
                        uint16_t used)
{
    uint16_t waiting[CRIER__STATES_MAX + 1];
    unsigned count = add_to_set(matcher, set, at, used, waiting);

    while (count-- != 0)
        /* Each begins another value. */
        count += add_to_set(matcher, set, waiting[count], 0, waiting + count);
}

/* Whether C is not the first byte of its character. */
static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Whether a triplet with the first digit HIGH is not the first of its character. */
static bool continues_character(unsigned char high)
{
    return high == '8' || high == '9' || high == 'a' || high == 'A' ||
           high == 'b' || high == 'B';
}

/* Whether STATE of a value takes a byte after USED characters; it may belong to the last
 * of them. */
static bool has_room(const struct crier__state *state, uint16_t used, bool in_character)
{
    return in_character || used < state->limit;
}

/* Lets CRIER__OP_VALUE, the state number AT, take C after USED characters. */
static void take_value(struct matcher *matcher, struct set *to, unsigned at,
                       unsigned char c, uint16_t used)
{
    const struct crier__state *state = &matcher->states[at];
    bool same = is_continuation(c);

    if (c == '%')
        enter_state(matcher, to, at + 1, used);
    else if ((crier__uri_unreserved(c) || (state->reserved && crier__uri_reserved(c)) ||
              (c == state->byte && c != 0)) &&
             has_room(state, used, same))
        enter_state(matcher, to, at, (uint16_t)(used + !same));
}

/* Adds to TO where the state number AT goes with C. */
static void take_byte(struct matcher *matcher, const struct set *from,
                      struct set *to, unsigned at, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    const struct crier__state *state = &matcher->states[at];
    uint16_t used = from->used[at];

    switch ((enum crier__state_op)state->op) {
    case CRIER__OP_BYTE:
        if (c == state->byte)
            enter_state(matcher, to, at + 1, 0);
        break;
    case CRIER__OP_EXCEPT:
        if (c != state->byte)
            enter_state(matcher, to, at + 1, 0);
        break;
    case CRIER__OP_EITHER:
        if (c == '%')
            enter_state(matcher, to, at + 1, 0);
        if (c == state->byte)
            enter_state(matcher, to, at + 3, 0);
        break;
    case CRIER__OP_EITHER_HIGH:
        if (crier__uri_hex(c) && (c | 0x20) == (digits[state->byte >> 4] | 0x20))
            enter_state(matcher, to, at + 1, 0);
        break;
    case CRIER__OP_EITHER_LOW:
        if (crier__uri_hex(c) && (c | 0x20) == (digits[state->byte & 15] | 0x20))
            enter_state(matcher, to, at + 1, 0);
        break;
    case CRIER__OP_VALUE:
        take_value(matcher, to, at, c, used);
        break;
    case CRIER__OP_VALUE_HIGH:
        if (crier__uri_hex(c) && has_room(state, used, continues_character(c)))
            enter_state(matcher, to, at + 1, (uint16_t)(used + !continues_character(c)));
        break;
    case CRIER__OP_VALUE_LOW:
        if (crier__uri_hex(c))
            enter_state(matcher, to, at - 2, used);
        break;
    case CRIER__OP_SPLIT:
    case CRIER__OP_JUMP:
    case CRIER__OP_MATCH:
        break;
    }
}

bool crier__automaton_match(const struct crier__automaton *automaton,
                            const char *text, size_t length, size_t *steps)
{
    struct set *from, *to;
    struct matcher matcher;
    unsigned i, last = automaton->count - 1;
    size_t at;

    if (length >= UINT16_MAX)
        return false;
    matcher.states = automaton->states;
    matcher.round = 1;
    matcher.steps = 0;
    memset(matcher.seen, 0, automaton->count * sizeof matcher.seen[0]);
    from = &matcher.sets[0];
    from->count = 0;
    enter_state(&matcher, from, 0, 0);
    for (at = 0; at < length && from->count != 0; at++) {
        matcher.round++;
        to = &matcher.sets[(at + 1) % 2];
        to->count = 0;
        for (i = 0; i < from->count; i++)
            take_byte(&matcher, from, to, from->members[i],
                      (unsigned char)text[at]);
        from = to;
    }
    if (steps != NULL)
        *steps += matcher.steps;
    return from->count != 0 && at == length &&
           matcher.seen[last] == matcher.round;
}
