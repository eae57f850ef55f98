/*
 * URI templates as selectors.
 *
 * A template is compiled to the states of a nondeterministic automaton, and a topic is
 * read once, byte by byte, with the set of the states that it may be in. So matching takes
 * no more steps than states times bytes, whatever the template is; nothing is tried twice.
 *
 * What a template can expand to, with any values of its variables:
 *
 *   - A variable may be undefined, and vanishes with its separator; an expression without
 *     any defined variable vanishes with its operator. It may be a string, a list, or
 *     pairs.
 *   - A value consists of unreserved characters and of triplets (%41); with the operators
 *     + and # of reserved characters, too. Characters beyond ASCII are taken as unreserved,
 *     as they are in an IRI (RFC 3987); a prefix (:3) counts characters.
 *   - Literal text stands for itself; what no URI may hold, also for its triplets.
 *
 * How many characters of a prefix have been used is kept for each state, and of two ways
 * into a state only the smaller number: it allows all that the larger one does. (States
 * for each number were rejected: {a:500} would be 500 of them.)
 *
 * The number of variables is bounded, since each adds states that a topic may be in all
 * at once.
 */
#include <config.h>

#include "uri_template.h"

#include "crier.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A template has no more of them. */
#define STATES_MAX 1024
#define VARIABLES_MAX 32

/* What a state does with a byte; those without are passed at once. */
enum op {
    OP_BYTE,   /* takes `byte` */
    OP_SPLIT,  /* no byte: goes on at the next state, and at `to` */
    OP_JUMP,   /* no byte: goes on at `to` */
    OP_EITHER, /* takes `byte`, or its triplet with the two states behind it */
    OP_EITHER_HIGH,
    OP_EITHER_LOW,
    OP_VALUE, /* takes characters of a value again and again, or goes on behind the two
                 states that belong to it, in which it is within a triplet */
    OP_VALUE_HIGH,
    OP_VALUE_LOW,
    OP_MATCH /* the end */
};

struct state {
    uint8_t op;
    uint8_t byte;     /* of OP_VALUE: one more that it takes; 0: none */
    bool reserved;    /* OP_VALUE takes reserved characters */
    uint16_t to;
    uint16_t limit;   /* how many characters OP_VALUE takes */
};

struct crier__uri_template {
    unsigned count;
    struct state states[];
};

#define NO_LIMIT UINT16_MAX

/* ---- characters ------------------------------------------------------- */

static bool is_alphanumeric(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Whether C is unreserved, also in an IRI. */
static bool is_unreserved(unsigned char c)
{
    return is_alphanumeric(c) || c >= 0x80 || (c != 0 && strchr("-._~", c) != NULL);
}

static bool is_reserved(unsigned char c)
{
    return c != 0 && strchr(":/?#[]@!$&'()*+,;=", c) != NULL;
}

/* Whether C is not the first byte of its character. */
static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Whether a triplet begins at TEXT, of which LENGTH bytes are left. */
static bool is_triplet(const char *text, size_t length)
{
    return length >= 3 && text[0] == '%' && is_hex((unsigned char)text[1]) &&
           is_hex((unsigned char)text[2]);
}

/* ---- reading expressions ---------------------------------------------- */

/* What an operator means (RFC 6570 appendix A). */
struct operator {
    char name; /* 0: none */
    char first; /* 0: nothing */
    char separator;
    bool named;
    bool equals; /* an empty value is written with a '=' */
    bool reserved;
};

static const struct operator operators[] = {
    {.name = 0, .separator = ','},
    {.name = '+', .separator = ',', .reserved = true},
    {.name = '#', .first = '#', .separator = ',', .reserved = true},
    {.name = '.', .first = '.', .separator = '.'},
    {.name = '/', .first = '/', .separator = '/'},
    {.name = ';', .first = ';', .separator = ';', .named = true},
    {.name = '?', .first = '?', .separator = '&', .named = true, .equals = true},
    {.name = '&', .first = '&', .separator = '&', .named = true, .equals = true},
};

struct variable {
    const char *name;
    size_t length;  /* of the name */
    uint16_t limit; /* of a prefix, or NO_LIMIT */
    bool explode;
};

/* Which operator the expression at TEXT, behind its brace, begins with. */
static const struct operator *find_operator(const char *text)
{
    size_t i;

    for (i = 1; i < sizeof operators / sizeof operators[0]; i++)
        if (operators[i].name == text[0])
            return &operators[i];
    return &operators[0];
}

/* The length of the variable's name at TEXT, of which LENGTH bytes are left; 0: none. */
static size_t measure_name(const char *text, size_t length)
{
    size_t at = 0;
    bool dot = true; /* may not come next */

    while (at < length) {
        if (text[at] == '.' && !dot) {
            dot = true;
            at++;
        } else if (is_triplet(text + at, length - at)) {
            dot = false;
            at += 3;
        } else if (is_alphanumeric((unsigned char)text[at]) || text[at] == '_') {
            dot = false;
            at++;
        } else {
            break;
        }
    }
    return dot ? 0 : at;
}

/* Reads the number of a prefix, 1 to 9999, at TEXT, of which LENGTH bytes are left; its
 * length, 0 for none. */
static size_t read_limit(const char *text, size_t length, uint16_t *limit)
{
    size_t at = 0;

    *limit = 0;
    while (at < length && at < 4 && text[at] >= '0' && text[at] <= '9' &&
           (at != 0 || text[at] != '0'))
        *limit = (uint16_t)(*limit * 10 + (text[at++] - '0'));
    return at;
}

/* Reads the variable at TEXT, of which LENGTH bytes are left. Returns its length with its
 * modifier; 0: there is none. */
static size_t read_variable(const char *text, size_t length,
                            struct variable *variable)
{
    size_t at = measure_name(text, length), digits;

    *variable = (struct variable){
        .name = text, .length = at, .limit = NO_LIMIT};
    if (at == 0 || at == length)
        return at;
    if (text[at] == '*') {
        variable->explode = true;
        return at + 1;
    }
    if (text[at] != ':')
        return at;
    digits = read_limit(text + at + 1, length - at - 1, &variable->limit);
    return digits != 0 ? at + 1 + digits : 0;
}

size_t crier__uri_template_expression(const char *text, size_t length)
{
    struct variable variable;
    size_t at = 1, size;

    if (length < 3 || text[0] != '{')
        return 0;
    if (find_operator(text + 1)->name != 0)
        at++;
    for (;; at++) {
        size = read_variable(text + at, length - at, &variable);
        at += size;
        if (size == 0 || at == length)
            return 0;
        if (text[at] == '}')
            return at + 1;
        if (text[at] != ',')
            return 0;
    }
}

bool crier__uri_template_valid(const char *text, size_t length)
{
    bool some = false;
    size_t at = 0, size;

    while (at < length) {
        if (text[at] == '}')
            return false;
        size = 1;
        if (text[at] == '{') {
            size = crier__uri_template_expression(text + at, length - at);
            some = true;
        }
        if (size == 0)
            return false;
        at += size;
    }
    return some;
}

/* Whether C, in literal text, expands to itself alone. */
static bool is_literal(unsigned char c)
{
    return c < 0x80 && (is_unreserved(c) || is_reserved(c) || c == '%');
}

size_t crier__uri_template_beginning(const char *text)
{
    size_t at = 0;

    while (is_literal((unsigned char)text[at]) &&
           (text[at] != '%' || is_triplet(text + at, strnlen(text + at, 3))))
        at++;
    return at;
}

/* ---- compiling -------------------------------------------------------- */

/* A template while it is compiled. */
struct compiler {
    unsigned count;
    unsigned variables;
    bool failed; /* it has too many states */
    struct state states[STATES_MAX];
};

/* Adds a state, and returns its number. */
static unsigned add_state(struct compiler *compiler, enum op op, char byte)
{
    if (compiler->count == STATES_MAX) {
        compiler->failed = true;
        return 0;
    }
    compiler->states[compiler->count] =
        (struct state){.op = (uint8_t)op, .byte = (uint8_t)byte};
    return compiler->count++;
}

/* Makes the state FROM go on at the next one that is added. */
static void lead_here(struct compiler *compiler, unsigned from)
{
    compiler->states[from].to = (uint16_t)compiler->count;
}

/* Adds a state that goes on at TO, and at the next one if OP is OP_SPLIT. */
static void add_way(struct compiler *compiler, enum op op, unsigned to)
{
    compiler->states[add_state(compiler, op, 0)].to = (uint16_t)to;
}

static void add_either(struct compiler *compiler, char byte)
{
    add_state(compiler, OP_EITHER, byte);
    add_state(compiler, OP_EITHER_HIGH, byte);
    add_state(compiler, OP_EITHER_LOW, byte);
}

/* Adds the states of up to LIMIT characters of a value, and of the bytes EXTRA (0:
 * none). */
static void add_value(struct compiler *compiler, bool reserved, char extra,
                      uint16_t limit)
{
    unsigned i, value = add_state(compiler, OP_VALUE, extra);

    add_state(compiler, OP_VALUE_HIGH, 0);
    add_state(compiler, OP_VALUE_LOW, 0);
    for (i = value; i < compiler->count; i++) {
        compiler->states[i].reserved = reserved;
        compiler->states[i].limit = limit;
    }
}

/* Adds the literal text at TEXT, of which LENGTH bytes are left, that stands for one
 * character or triplet; returns its length. */
static size_t add_literal(struct compiler *compiler, const char *text,
                          size_t length)
{
    size_t i, size = is_triplet(text, length) ? 3 : 1;

    for (i = 0; i < size; i++)
        if (is_literal((unsigned char)text[i]) && (size == 3 || text[i] != '%'))
            add_state(compiler, OP_BYTE, text[i]);
        else
            add_either(compiler, text[i]);
    return size;
}

static void add_name(struct compiler *compiler, const struct variable *variable)
{
    size_t i;

    for (i = 0; i < variable->length; i++)
        add_state(compiler, OP_BYTE, variable->name[i]);
}

/* Adds what stands behind a name: '=' and a value, or nothing where OPERATOR writes empty
 * values so. EXTRA: see add_value(). */
static void add_named_value(struct compiler *compiler,
                            const struct operator *operator, char extra,
                            uint16_t limit)
{
    unsigned without = 0;

    if (!operator->equals)
        without = add_state(compiler, OP_SPLIT, 0);
    add_state(compiler, OP_BYTE, '=');
    add_value(compiler, operator->reserved, extra, limit);
    if (!operator->equals)
        lead_here(compiler, without);
}

/* Adds pairs with separators between them: at least one. */
static void add_pairs(struct compiler *compiler, const struct operator *operator)
{
    unsigned begin = compiler->count, again;

    add_value(compiler, operator->reserved, 0, NO_LIMIT);
    if (operator->named) {
        add_named_value(compiler, operator, 0, NO_LIMIT);
    } else {
        add_state(compiler, OP_BYTE, '=');
        add_value(compiler, operator->reserved, 0, NO_LIMIT);
    }
    again = add_state(compiler, OP_SPLIT, 0);
    add_state(compiler, OP_BYTE, operator->separator);
    add_way(compiler, OP_JUMP, begin);
    lead_here(compiler, again);
}

/* Adds a list of values, each with the name of VARIABLE where OPERATOR names them. */
static void add_list(struct compiler *compiler, const struct operator *operator,
                     const struct variable *variable)
{
    unsigned begin = compiler->count, again;

    if (!operator->named) {
        add_value(compiler, operator->reserved, operator->separator, NO_LIMIT);
        return;
    }
    add_name(compiler, variable);
    add_named_value(compiler, operator, 0, NO_LIMIT);
    again = add_state(compiler, OP_SPLIT, 0);
    add_state(compiler, OP_BYTE, operator->separator);
    add_way(compiler, OP_JUMP, begin);
    lead_here(compiler, again);
}

/* Adds what VARIABLE, which is defined, expands to. */
static void add_variable(struct compiler *compiler,
                         const struct operator *operator,
                         const struct variable *variable)
{
    char comma = variable->limit == NO_LIMIT ? ',' : 0;
    unsigned pairs, done;

    if (variable->explode) {
        pairs = add_state(compiler, OP_SPLIT, 0);
        add_list(compiler, operator, variable);
        done = add_state(compiler, OP_JUMP, 0);
        lead_here(compiler, pairs);
        add_pairs(compiler, operator);
        lead_here(compiler, done);
    } else if (operator->named) {
        add_name(compiler, variable);
        add_named_value(compiler, operator, comma, variable->limit);
    } else {
        add_value(compiler, operator->reserved, comma, variable->limit);
    }
}

/* Adds the expression of LENGTH bytes at TEXT. There are two ways to each variable: one
 * of a topic that holds none of the variables before it, and one of a topic that does:
 *
 *     none   SPLIT, first, JUMP to the variable       or to `none` of the next one
 *     some   SPLIT, separator                         or to `some` of the next one
 *            the variable
 *     done   JUMP to `some` of the next one
 */
static void add_expression(struct compiler *compiler, const char *text,
                           size_t length)
{
    const struct operator *operator = find_operator(text + 1);
    const char *at = text + 1 + (operator->name != 0);
    const char *end = text + length - 1;
    unsigned none = 0, some = 0, done = 0, enter;
    struct variable variable;
    bool first = true;

    for (; at < end && !compiler->failed; at++, first = false) {
        at += read_variable(at, (size_t)(end - at), &variable);
        compiler->failed |= ++compiler->variables > VARIABLES_MAX;
        if (!first)
            lead_here(compiler, none);
        none = add_state(compiler, OP_SPLIT, 0);
        if (operator->first != 0)
            add_state(compiler, OP_BYTE, operator->first);
        enter = add_state(compiler, OP_JUMP, 0);
        if (!first) {
            lead_here(compiler, done);
            if (some != 0)
                lead_here(compiler, some);
            some = add_state(compiler, OP_SPLIT, 0);
            add_state(compiler, OP_BYTE, operator->separator);
        }
        lead_here(compiler, enter);
        add_variable(compiler, operator, &variable);
        done = add_state(compiler, OP_JUMP, 0);
    }
    lead_here(compiler, none);
    lead_here(compiler, done);
    if (some != 0)
        lead_here(compiler, some);
}

/* A new template of the states of COMPILER; NULL when memory is short. */
static struct crier__uri_template *copy_states(const struct compiler *compiler)
{
    size_t size = compiler->count * sizeof compiler->states[0];
    struct crier__uri_template *made =
        malloc(sizeof(struct crier__uri_template) + size);

    if (made == NULL)
        return NULL;
    made->count = compiler->count;
    memcpy(made->states, compiler->states, size);
    return made;
}

int crier__uri_template_new(const char *text, size_t length,
                            struct crier__uri_template **uri_template)
{
    struct compiler compiler = {.count = 0};
    size_t at = 0, size;

    while (at < length && !compiler.failed) {
        if (text[at] == '}')
            return CRIER_ERR_SELECTOR;
        if (text[at] == '{') {
            size = crier__uri_template_expression(text + at, length - at);
            if (size == 0)
                return CRIER_ERR_SELECTOR;
            add_expression(&compiler, text + at, size);
            at += size;
        } else {
            at += add_literal(&compiler, text + at, length - at);
        }
    }
    add_state(&compiler, OP_MATCH, 0);
    if (compiler.failed)
        return CRIER_ERR_SELECTOR;
    *uri_template = copy_states(&compiler);
    return *uri_template != NULL ? 0 : -ENOMEM;
}

size_t crier__uri_template_states(const struct crier__uri_template *uri_template)
{
    return uri_template->count;
}

/* ---- matching --------------------------------------------------------- */

/* The states in which a topic may be, without those that take no byte. */
struct set {
    unsigned count;
    uint16_t members[STATES_MAX];
    uint16_t used[STATES_MAX]; /* by state: how many characters its value has */
};

struct matcher {
    const struct state *states;
    struct set sets[2];
    uint16_t seen[STATES_MAX]; /* by state: the last round that added it */
    uint16_t round;            /* the number of bytes read, and one */
    size_t steps;
};

/* Adds STATE, with USED characters of its value, and what it leads to without a byte. */
static void enter_state(struct matcher *matcher, struct set *set, unsigned state,
                        uint16_t used)
{
    uint16_t waiting[STATES_MAX];
    unsigned count = 0;
    const struct state *what;

    for (;;) {
        what = &matcher->states[state];
        matcher->steps++;
        if (matcher->seen[state] != matcher->round) {
            matcher->seen[state] = matcher->round;
            if (what->op == OP_SPLIT)
                waiting[count++] = what->to;
            else if (what->op == OP_VALUE)
                waiting[count++] = (uint16_t)(state + 3);
            if (what->op == OP_JUMP)
                waiting[count++] = what->to;
            else if (what->op == OP_SPLIT)
                waiting[count++] = (uint16_t)(state + 1);
            else {
                set->members[set->count++] = (uint16_t)state;
                set->used[state] = used;
            }
        } else if (what->op == OP_VALUE || what->op == OP_VALUE_HIGH ||
                   what->op == OP_VALUE_LOW) {
            if (used < set->used[state])
                set->used[state] = used;
        }
        if (count == 0)
            return;
        state = waiting[--count];
        used = 0; /* it is the beginning of another value */
    }
}

/* Whether a triplet with the first digit HIGH is not the first of its character. */
static bool continues_character(unsigned char high)
{
    return high == '8' || high == '9' || high == 'a' || high == 'A' ||
           high == 'b' || high == 'B';
}

/* Whether STATE of a value takes a byte after USED characters; it may belong to the last
 * of them. */
static bool has_room(const struct state *state, uint16_t used, bool in_character)
{
    return in_character || used < state->limit;
}

/* Lets OP_VALUE, the state number AT, take C after USED characters. */
static void take_value(struct matcher *matcher, struct set *to, unsigned at,
                       unsigned char c, uint16_t used)
{
    const struct state *state = &matcher->states[at];
    bool same = is_continuation(c);

    if (c == '%')
        enter_state(matcher, to, at + 1, used);
    else if ((is_unreserved(c) || (state->reserved && is_reserved(c)) ||
              (c == state->byte && c != 0)) &&
             has_room(state, used, same))
        enter_state(matcher, to, at, (uint16_t)(used + !same));
}

/* Adds to TO where the state number AT goes with C. */
static void take_byte(struct matcher *matcher, const struct set *from,
                      struct set *to, unsigned at, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    const struct state *state = &matcher->states[at];
    uint16_t used = from->used[at];

    switch ((enum op)state->op) {
    case OP_BYTE:
        if (c == state->byte)
            enter_state(matcher, to, at + 1, 0);
        break;
    case OP_EITHER:
        if (c == '%')
            enter_state(matcher, to, at + 1, 0);
        if (c == state->byte)
            enter_state(matcher, to, at + 3, 0);
        break;
    case OP_EITHER_HIGH:
        if (is_hex(c) && (c | 0x20) == (digits[state->byte >> 4] | 0x20))
            enter_state(matcher, to, at + 1, 0);
        break;
    case OP_EITHER_LOW:
        if (is_hex(c) && (c | 0x20) == (digits[state->byte & 15] | 0x20))
            enter_state(matcher, to, at + 1, 0);
        break;
    case OP_VALUE:
        take_value(matcher, to, at, c, used);
        break;
    case OP_VALUE_HIGH:
        if (is_hex(c) && has_room(state, used, continues_character(c)))
            enter_state(matcher, to, at + 1, (uint16_t)(used + !continues_character(c)));
        break;
    case OP_VALUE_LOW:
        if (is_hex(c))
            enter_state(matcher, to, at - 2, used);
        break;
    case OP_SPLIT:
    case OP_JUMP:
    case OP_MATCH:
        break;
    }
}

bool crier__uri_template_match(const struct crier__uri_template *uri_template,
                               const char *name, size_t length, size_t *steps)
{
    struct set *from, *to;
    struct matcher matcher;
    unsigned i, last = uri_template->count - 1;
    size_t at;

    if (length >= UINT16_MAX)
        return false;
    matcher.states = uri_template->states;
    matcher.round = 1;
    matcher.steps = 0;
    memset(matcher.seen, 0, uri_template->count * sizeof matcher.seen[0]);
    from = &matcher.sets[0];
    from->count = 0;
    enter_state(&matcher, from, 0, 0);
    for (at = 0; at < length && from->count != 0; at++) {
        matcher.round++;
        to = &matcher.sets[(at + 1) % 2];
        to->count = 0;
        for (i = 0; i < from->count; i++)
            take_byte(&matcher, from, to, from->members[i],
                      (unsigned char)name[at]);
        from = to;
    }
    if (steps != NULL)
        *steps += matcher.steps;
    return from->count != 0 && at == length &&
           matcher.seen[last] == matcher.round;
}
