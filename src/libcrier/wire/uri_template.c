/*
 * URI templates as selectors.
 *
 * A template is compiled to an automaton, which takes what it can expand to.
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
 */
#include <config.h>

#include "uri_template.h"

#include "crier.h"

#include <string.h>

#define NO_LIMIT UINT16_MAX

/* The width of a variable. What stands before one that has a name is in few topics. */
#define NAMED_WIDTH 1
#define OTHER_WIDTH 3

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
        } else if (crier__uri_triplet(text + at, length - at)) {
            dot = false;
            at += 3;
        } else if (crier__uri_alphanumeric((unsigned char)text[at]) || text[at] == '_') {
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
    return c < 0x80 && (crier__uri_unreserved(c) || crier__uri_reserved(c) || c == '%');
}

size_t crier__uri_template_beginning(const char *text)
{
    size_t at = 0;

    while (is_literal((unsigned char)text[at]) &&
           (text[at] != '%' || crier__uri_triplet(text + at, strnlen(text + at, 3))))
        at++;
    return at;
}

/* ---- compiling -------------------------------------------------------- */

static void add_either(struct crier__compiler *compiler, char byte)
{
    crier__compiler_add(compiler, CRIER__OP_EITHER, byte);
    crier__compiler_add(compiler, CRIER__OP_EITHER_HIGH, byte);
    crier__compiler_add(compiler, CRIER__OP_EITHER_LOW, byte);
}

/* Adds the states of up to LIMIT characters of a value, and of the bytes EXTRA (0:
 * none). */
static void add_value(struct crier__compiler *compiler, bool reserved, char extra,
                      uint16_t limit)
{
    unsigned i, value = crier__compiler_add(compiler, CRIER__OP_VALUE, extra);

    crier__compiler_add(compiler, CRIER__OP_VALUE_HIGH, 0);
    crier__compiler_add(compiler, CRIER__OP_VALUE_LOW, 0);
    for (i = value; i < compiler->count; i++) {
        compiler->states[i].reserved = reserved;
        compiler->states[i].limit = limit;
    }
}

/* Adds the literal text at TEXT, of which LENGTH bytes are left, that stands for one
 * character or triplet; returns its length. */
static size_t add_literal(struct crier__compiler *compiler, const char *text,
                          size_t length)
{
    size_t i, size = crier__uri_triplet(text, length) ? 3 : 1;

    for (i = 0; i < size; i++)
        if (is_literal((unsigned char)text[i]) && (size == 3 || text[i] != '%'))
            crier__compiler_add(compiler, CRIER__OP_BYTE, text[i]);
        else
            add_either(compiler, text[i]);
    return size;
}

static void add_variable_name(struct crier__compiler *compiler, const struct variable *variable)
{
    size_t i;

    for (i = 0; i < variable->length; i++)
        crier__compiler_add(compiler, CRIER__OP_BYTE, variable->name[i]);
}

/* Adds what stands behind a name: '=' and a value, or nothing where OPERATOR writes empty
 * values so. EXTRA: see add_value(). */
static void add_named_value(struct crier__compiler *compiler,
                            const struct operator *operator, char extra,
                            uint16_t limit)
{
    unsigned without = 0;

    if (!operator->equals)
        without = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
    crier__compiler_add(compiler, CRIER__OP_BYTE, '=');
    add_value(compiler, operator->reserved, extra, limit);
    if (!operator->equals)
        crier__compiler_lead_here(compiler, without);
}

/* Adds pairs with separators between them: at least one. */
static void add_pairs(struct crier__compiler *compiler, const struct operator *operator)
{
    unsigned begin = compiler->count, again;

    add_value(compiler, operator->reserved, 0, NO_LIMIT);
    if (operator->named) {
        add_named_value(compiler, operator, 0, NO_LIMIT);
    } else {
        crier__compiler_add(compiler, CRIER__OP_BYTE, '=');
        add_value(compiler, operator->reserved, 0, NO_LIMIT);
    }
    again = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
    crier__compiler_add(compiler, CRIER__OP_BYTE, operator->separator);
    crier__compiler_add_way(compiler, CRIER__OP_JUMP, begin);
    crier__compiler_lead_here(compiler, again);
}

/* Adds a list of values, each with the name of VARIABLE where OPERATOR names them. */
static void add_list(struct crier__compiler *compiler, const struct operator *operator,
                     const struct variable *variable)
{
    unsigned begin = compiler->count, again;

    if (!operator->named) {
        add_value(compiler, operator->reserved, operator->separator, NO_LIMIT);
        return;
    }
    add_variable_name(compiler, variable);
    add_named_value(compiler, operator, 0, NO_LIMIT);
    again = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
    crier__compiler_add(compiler, CRIER__OP_BYTE, operator->separator);
    crier__compiler_add_way(compiler, CRIER__OP_JUMP, begin);
    crier__compiler_lead_here(compiler, again);
}

/* Adds what VARIABLE, which is defined, expands to. */
static void add_variable(struct crier__compiler *compiler,
                         const struct operator *operator,
                         const struct variable *variable)
{
    char comma = variable->limit == NO_LIMIT ? ',' : 0;
    unsigned pairs, done;

    if (variable->explode) {
        pairs = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
        add_list(compiler, operator, variable);
        done = crier__compiler_add(compiler, CRIER__OP_JUMP, 0);
        crier__compiler_lead_here(compiler, pairs);
        add_pairs(compiler, operator);
        crier__compiler_lead_here(compiler, done);
    } else if (operator->named) {
        add_variable_name(compiler, variable);
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
static void add_expression(struct crier__compiler *compiler, const char *text,
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
        compiler->width += operator->named ? NAMED_WIDTH : OTHER_WIDTH;
        if (!first)
            crier__compiler_lead_here(compiler, none);
        none = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
        if (operator->first != 0)
            crier__compiler_add(compiler, CRIER__OP_BYTE, operator->first);
        enter = crier__compiler_add(compiler, CRIER__OP_JUMP, 0);
        if (!first) {
            crier__compiler_lead_here(compiler, done);
            if (some != 0)
                crier__compiler_lead_here(compiler, some);
            some = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
            crier__compiler_add(compiler, CRIER__OP_BYTE, operator->separator);
        }
        crier__compiler_lead_here(compiler, enter);
        add_variable(compiler, operator, &variable);
        done = crier__compiler_add(compiler, CRIER__OP_JUMP, 0);
    }
    crier__compiler_lead_here(compiler, none);
    crier__compiler_lead_here(compiler, done);
    if (some != 0)
        crier__compiler_lead_here(compiler, some);
}

int crier__uri_template_new(const char *text, size_t length,
                            struct crier__automaton **automaton)
{
    struct crier__compiler compiler = {.count = 0};
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
    return crier__compiler_finish(&compiler, automaton);
}
