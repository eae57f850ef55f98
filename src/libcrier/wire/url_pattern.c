/*
 * URL patterns as selectors.
 *
 * A constructor string is taken apart into the eight parts of a URL, a base fills in what
 * is missing in front, and each part is compiled to an automaton; a part that matches
 * everything has none. The text between wildcards is brought into the form that a URL has
 * once it is parsed, so that a pattern and a URL which mean the same compare equal.
 *
 * Names are not remembered, and what groups have matched is not found: a selector only
 * says yes or no. So a name is a piece without delimiters, and lazy and greedy are the
 * same.
 *
 * The names of the functions and the order of what they do are close to the standard's on
 * purpose.
 */
#include <config.h>

#include "url_pattern.h"

#include "automaton.h"
#include "topic.h"

#include "crier.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The text of a part is at most so long. */
#define PART_MAX 2048

/* The width of a wildcard or name, and how many names a part may have. */
#define WILDCARD_WIDTH 2
#define NAMES_MAX (CRIER__WIDTH_MAX / WILDCARD_WIDTH + 1)

struct crier__url_pattern {
    struct crier__automaton *parts[CRIER__URL_PARTS]; /* NULL: matches everything */
    char *base; /* of the URLs that are matched, or NULL */
};

/* ---- tokens ----------------------------------------------------------- */

enum token_type {
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_REGEXP,
    TOKEN_NAME,
    TOKEN_CHAR,
    TOKEN_ESCAPED,
    TOKEN_MODIFIER, /* '?' or '+' */
    TOKEN_ASTERISK,
    TOKEN_END,
    TOKEN_INVALID
};

struct token {
    uint8_t type;
    uint16_t index; /* where it begins in the text */
    uint16_t value; /* where its value begins */
    uint16_t length; /* of its value */
};

struct tokens {
    const char *text;
    unsigned count;
    struct token items[PART_MAX + 1];
};

static bool begins_name(unsigned char c)
{
    return (crier__uri_alphanumeric(c) && (c < '0' || c > '9')) || c == '_' ||
           c == '$' || c >= 0x80;
}

/* The length of the name at TEXT, of which LENGTH bytes are left. */
static size_t measure_group_name(const char *text, size_t length)
{
    size_t i = 0;

    while (i < length && (begins_name((unsigned char)text[i]) ||
                          (i != 0 && text[i] >= '0' && text[i] <= '9')))
        i++;
    return i;
}

/* The length of the regular expression at TEXT, behind its parenthesis; *FOUND is false
 * when it does not end. */
static size_t measure_regexp(const char *text, size_t length, bool *found)
{
    unsigned depth = 1;
    size_t i;

    for (i = 0; i < length; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '(')
            depth++;
        else if (text[i] == ')' && --depth == 0)
            break;
    }
    *found = i < length;
    return i;
}

static void add_token(struct tokens *tokens, enum token_type type, size_t index,
                      size_t value, size_t length)
{
    tokens->items[tokens->count++] = (struct token){
        (uint8_t)type, (uint16_t)index, (uint16_t)value, (uint16_t)length};
}

/* Which token the character C is by itself. */
static enum token_type choose_token_type(char c)
{
    switch (c) {
    case '*':
        return TOKEN_ASTERISK;
    case '+':
    case '?':
        return TOKEN_MODIFIER;
    case '{':
        return TOKEN_OPEN;
    case '}':
        return TOKEN_CLOSE;
    default:
        return TOKEN_CHAR;
    }
}

/* Adds the token at AT, and returns where the next one begins. *VALID is set to false if
 * it is a TOKEN_INVALID. */
static size_t read_token(struct tokens *tokens, size_t at, size_t length,
                         bool *valid)
{
    const char *text = tokens->text + at;
    size_t left = length - at - 1, size;
    bool found = true;

    switch (text[0]) {
    case '\\':
        if (left == 0)
            break;
        add_token(tokens, TOKEN_ESCAPED, at, at + 1, 1);
        return at + 2;
    case ':':
        size = measure_group_name(text + 1, left);
        if (size == 0)
            break;
        add_token(tokens, TOKEN_NAME, at, at + 1, size);
        return at + 1 + size;
    case '(':
        size = measure_regexp(text + 1, left, &found);
        if (!found || size == 0)
            break;
        add_token(tokens, TOKEN_REGEXP, at, at + 1, size);
        return at + size + 2;
    default:
        add_token(tokens, choose_token_type(text[0]), at, at, 1);
        return at + 1;
    }
    *valid = false;
    add_token(tokens, TOKEN_INVALID, at, at, 1);
    return at + 1;
}

/* Splits the LENGTH bytes at TEXT. False when they are too long; *VALID is false when they
 * are no pattern. */
static bool split_tokens(struct tokens *tokens, const char *text, size_t length,
                         bool *valid)
{
    size_t at = 0;

    tokens->text = text;
    tokens->count = 0;
    *valid = true;
    if (length > PART_MAX)
        return false;
    while (at < length)
        at = read_token(tokens, at, length, valid);
    add_token(tokens, TOKEN_END, length, length, 0);
    return true;
}

/* ---- compiling a part ------------------------------------------------- */

/* How a part is read. */
struct part_options {
    enum crier__url_part part;
    char delimiter; /* what a name does not match; 0: nothing */
    char prefix;    /* what belongs to the group behind it; 0: nothing */
    bool ipv6;
    const struct crier__url_text *protocol;
};

struct part_parser {
    const struct part_options *options;
    struct tokens tokens;
    unsigned index;
    struct crier__compiler compiler;
    bool wrong; /* it is no pattern */
    unsigned name_count;
    struct token names[NAMES_MAX];
    size_t pending_length;
    char pending[PART_MAX]; /* fixed text that is not compiled yet */
};

static const struct token *try_consume(struct part_parser *parser,
                                       enum token_type type)
{
    const struct token *token = &parser->tokens.items[parser->index];

    if (token->type != type)
        return NULL;
    parser->index++;
    return token;
}

static const struct token *try_consume_wildcard(struct part_parser *parser,
                                                const struct token *name)
{
    const struct token *token = try_consume(parser, TOKEN_REGEXP);

    return token == NULL && name == NULL ? try_consume(parser, TOKEN_ASTERISK)
                                         : token;
}

/* The modifier that comes next, '?', '*' or '+'; 0: none. */
static char try_consume_modifier(struct part_parser *parser)
{
    const struct token *token = try_consume(parser, TOKEN_MODIFIER);

    if (token == NULL)
        token = try_consume(parser, TOKEN_ASTERISK);
    return token != NULL ? parser->tokens.text[token->value] : 0;
}

/* Appends the value of TOKEN to TEXT, which has *LENGTH of PART_MAX bytes. */
static void append_value(const struct part_parser *parser,
                         const struct token *token, char *text, size_t *length)
{
    memcpy(text + *length, parser->tokens.text + token->value, token->length);
    *length += token->length;
}

/* Adds the states of the LENGTH bytes at TEXT, fixed text. */
static void compile_text(struct part_parser *parser, const char *text,
                         size_t length)
{
    const struct part_options *options = parser->options;
    struct crier__url url;
    size_t i;

    url.used = 0;
    url.full = false;
    if (options->ipv6
            ? !crier__url_canonicalize_ipv6(&url, text, length)
            : !crier__url_canonicalize(&url, options->part, text, length,
                                       options->protocol)) {
        parser->wrong = true;
        return;
    }
    for (i = 0; i < url.used; i++)
        crier__compiler_add(&parser->compiler, CRIER__OP_BYTE, url.buffer[i]);
}

static void compile_pending(struct part_parser *parser)
{
    if (parser->pending_length != 0)
        compile_text(parser, parser->pending, parser->pending_length);
    parser->pending_length = 0;
}

/* Whether TOKEN, a regular expression, is what a name without one stands for. */
static bool is_segment_regexp(const struct part_parser *parser,
                              const struct token *token)
{
    char delimiter = parser->options->delimiter;
    const char with[] = {'[', '^', '\\', delimiter, ']', '+', '?'};

    if (delimiter == 0)
        return token->length == 5 &&
               memcmp(parser->tokens.text + token->value, "[^]+?", 5) == 0;
    return token->length == sizeof with &&
           memcmp(parser->tokens.text + token->value, with, sizeof with) == 0;
}

static bool is_full_regexp(const struct part_parser *parser,
                           const struct token *token)
{
    return token->length == 2 &&
           memcmp(parser->tokens.text + token->value, ".*", 2) == 0;
}

/* Adds the states of a wildcard: of '*', of a regular expression, or (NULL) of a name. */
static void compile_wildcard(struct part_parser *parser,
                             const struct token *token)
{
    struct crier__compiler *compiler = &parser->compiler;
    unsigned begin = compiler->count;

    compiler->width += WILDCARD_WIDTH;
    if (token == NULL ||
        (token->type == TOKEN_REGEXP && is_segment_regexp(parser, token))) {
        crier__compiler_add(compiler, CRIER__OP_EXCEPT,
                            parser->options->delimiter);
        crier__compiler_add_way(compiler, CRIER__OP_SPLIT, begin);
    } else if (token->type == TOKEN_ASTERISK || is_full_regexp(parser, token)) {
        crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
        crier__compiler_add(compiler, CRIER__OP_EXCEPT, 0);
        crier__compiler_add_way(compiler, CRIER__OP_JUMP, begin);
        crier__compiler_lead_here(compiler, begin);
    } else {
        parser->wrong = true; /* a custom group */
    }
}

/* Notes that the part has a group of the name NAME. */
static void note_group_name(struct part_parser *parser, const struct token *name)
{
    const char *text = parser->tokens.text;
    unsigned i;

    for (i = 0; i < parser->name_count; i++)
        if (parser->names[i].length == name->length &&
            memcmp(text + parser->names[i].value, text + name->value,
                   name->length) == 0)
            parser->wrong = true;
    if (parser->name_count < NAMES_MAX)
        parser->names[parser->name_count++] = *name;
}

/* A group, with the text around its wildcard. */
struct group {
    const struct token *name, *wildcard; /* NULL: none */
    char modifier;                       /* 0: none */
    size_t prefix_length, suffix_length;
    char prefix[PART_MAX], suffix[PART_MAX];
};

static void compile_group(struct part_parser *parser, const struct group *group)
{
    struct crier__compiler *compiler = &parser->compiler;
    bool optional = group->modifier == '?' || group->modifier == '*';
    bool repeated = group->modifier == '+' || group->modifier == '*';
    bool wide = group->name != NULL || group->wildcard != NULL;
    unsigned skip = 0, begin;

    if (!wide && group->modifier == 0) {
        /* Braces around fixed text. */
        if (group->prefix_length > PART_MAX - parser->pending_length) {
            parser->wrong = true;
            return;
        }
        memcpy(parser->pending + parser->pending_length, group->prefix,
               group->prefix_length);
        parser->pending_length += group->prefix_length;
        return;
    }
    compile_pending(parser);
    if (!wide && group->prefix_length == 0)
        return;
    if (group->name != NULL)
        note_group_name(parser, group->name);
    if (optional)
        skip = crier__compiler_add(compiler, CRIER__OP_SPLIT, 0);
    begin = compiler->count;
    compile_text(parser, group->prefix, group->prefix_length);
    if (wide)
        compile_wildcard(parser, group->wildcard);
    compile_text(parser, group->suffix, group->suffix_length);
    if (repeated)
        crier__compiler_add_way(compiler, CRIER__OP_SPLIT, begin);
    if (optional)
        crier__compiler_lead_here(compiler, skip);
}

/* Reads characters, escaped or not, to TEXT. */
static void consume_text(struct part_parser *parser, char *text, size_t *length)
{
    const struct token *token;

    for (;;) {
        token = try_consume(parser, TOKEN_CHAR);
        if (token == NULL)
            token = try_consume(parser, TOKEN_ESCAPED);
        if (token == NULL)
            return;
        append_value(parser, token, text, length);
    }
}

/* Reads a name or a wildcard that is not in braces, with BEFORE, the character before it
 * or NULL. False when there is none. */
static bool read_wildcard(struct part_parser *parser, const struct token *before)
{
    const struct token *name = try_consume(parser, TOKEN_NAME);
    const struct token *wildcard = try_consume_wildcard(parser, name);
    char prefix = parser->options->prefix;
    struct group group; /* large: not filled in for each character */

    if (name == NULL && wildcard == NULL)
        return false;
    group.name = name;
    group.wildcard = wildcard;
    group.prefix_length = group.suffix_length = 0;
    if (before != NULL && prefix != 0 &&
        parser->tokens.text[before->value] == prefix)
        append_value(parser, before, group.prefix, &group.prefix_length);
    else if (before != NULL)
        append_value(parser, before, parser->pending, &parser->pending_length);
    group.modifier = try_consume_modifier(parser);
    compile_group(parser, &group);
    return true;
}

/* Reads a group in braces. False when there is none. */
static bool read_group(struct part_parser *parser)
{
    struct group group;

    if (try_consume(parser, TOKEN_OPEN) == NULL)
        return false;
    group.prefix_length = group.suffix_length = 0;
    consume_text(parser, group.prefix, &group.prefix_length);
    group.name = try_consume(parser, TOKEN_NAME);
    group.wildcard = try_consume_wildcard(parser, group.name);
    consume_text(parser, group.suffix, &group.suffix_length);
    if (try_consume(parser, TOKEN_CLOSE) == NULL)
        parser->wrong = true;
    group.modifier = try_consume_modifier(parser);
    if (!parser->wrong)
        compile_group(parser, &group);
    return true;
}

static void read_part(struct part_parser *parser)
{
    const struct token *before;

    while (!parser->wrong && !parser->compiler.failed) {
        before = try_consume(parser, TOKEN_CHAR);
        if (read_wildcard(parser, before))
            continue;
        if (before == NULL)
            before = try_consume(parser, TOKEN_ESCAPED);
        if (before != NULL) {
            append_value(parser, before, parser->pending,
                         &parser->pending_length);
            continue;
        }
        if (read_group(parser))
            continue;
        compile_pending(parser);
        if (try_consume(parser, TOKEN_END) == NULL)
            parser->wrong = true;
        return;
    }
}

/* Compiles TEXT, a part. CRIER_ERR_SELECTOR, -ENOMEM. */
static int compile_part(const struct crier__url_text *text,
                        const struct part_options *options,
                        struct crier__automaton **automaton)
{
    struct part_parser *parser;
    bool valid;
    int error = CRIER_ERR_SELECTOR;

    if (text->length == 1 && text->text[0] == '*')
        return 0;
    parser = calloc(1, sizeof *parser);
    if (parser == NULL)
        return -ENOMEM;
    parser->options = options;
    if (split_tokens(&parser->tokens, text->text, text->length, &valid) && valid) {
        read_part(parser);
        if (!parser->wrong)
            error = crier__compiler_finish(&parser->compiler, automaton);
    }
    free(parser);
    return error;
}

/* ---- compiling all parts ---------------------------------------------- */

static bool takes_text(const struct crier__automaton *automaton, const char *text)
{
    return automaton == NULL ||
           crier__automaton_match(automaton, text, strlen(text), NULL);
}

/* Whether PROTOCOL matches a special scheme. */
static bool takes_special(const struct crier__automaton *protocol)
{
    int i;

    for (i = 0; crier__url_special[i] != NULL; i++)
        if (takes_text(protocol, crier__url_special[i]))
            return true;
    return false;
}

/* Whether TEXT, a host name in a pattern, is an IPv6 address. */
static bool is_ipv6_pattern(const struct crier__url_text *text)
{
    return text->length >= 2 &&
           (text->text[0] == '[' ||
            ((text->text[0] == '{' || text->text[0] == '\\') &&
             text->text[1] == '['));
}

/* Compiles PARTS, all of which have texts, into PATTERN. */
static int compile_parts(const struct crier__url_text parts[CRIER__URL_PARTS],
                         struct crier__url_pattern *pattern)
{
    static const struct crier__url_text none = {"", 0}, opaque = {"opaque", 6};
    struct part_options options;
    int i, error = 0;

    for (i = 0; i < CRIER__URL_PARTS && error == 0; i++) {
        options = (struct part_options){.part = (enum crier__url_part)i,
                                        .protocol = &none};
        if (i == CRIER__URL_HOSTNAME) {
            options.delimiter = '.';
            options.ipv6 = is_ipv6_pattern(&parts[i]);
        } else if (i == CRIER__URL_PATHNAME) {
            if (takes_special(pattern->parts[CRIER__URL_PROTOCOL]))
                options.delimiter = options.prefix = '/';
            else
                options.protocol = &opaque;
        }
        error = compile_part(&parts[i], &options, &pattern->parts[i]);
    }
    return error;
}

/* ---- with a base ------------------------------------------------------ */

/* Texts that are made of others. */
struct scratch {
    size_t used;
    bool full;
    char bytes[PART_MAX * 4];
};

static void put_scratch(struct scratch *scratch, const char *text, size_t length)
{
    if (length > sizeof scratch->bytes - scratch->used) {
        scratch->full = true;
        return;
    }
    memcpy(scratch->bytes + scratch->used, text, length);
    scratch->used += length;
}

/* Writes TEXT so that a pattern matches it literally. */
static void put_escaped(struct scratch *scratch, const struct crier__url_text *text)
{
    size_t i;

    for (i = 0; i < text->length; i++) {
        if (strchr("+*?:{}()\\", text->text[i]) != NULL)
            put_scratch(scratch, "\\", 1);
        put_scratch(scratch, text->text + i, 1);
    }
}

/* What of SCRATCH was written from BEGIN on. */
static struct crier__url_text get_written(const struct scratch *scratch,
                                          size_t begin)
{
    return (struct crier__url_text){scratch->bytes + begin,
                                    scratch->used - begin};
}

/* Puts what INIT lacks in front of its first part from URL, its base, into PARTS. */
static void inherit_parts(struct crier__url_text parts[CRIER__URL_PARTS],
                          const struct crier__url *url, struct scratch *scratch)
{
    bool more = true; /* no part before has been given */
    size_t begin;
    int i;

    for (i = 0; i < CRIER__URL_PARTS; i++) {
        if (i == CRIER__URL_USERNAME || i == CRIER__URL_PASSWORD)
            continue; /* never of a base */
        if (parts[i].text != NULL)
            more = false;
        if (!more)
            continue;
        begin = scratch->used;
        put_escaped(scratch, &url->parts[i]);
        parts[i] = get_written(scratch, begin);
    }
}

static bool is_absolute_path(const struct crier__url_text *path)
{
    return path->length != 0 &&
           (path->text[0] == '/' ||
            (path->length >= 2 && path->text[1] == '/' &&
             (path->text[0] == '\\' || path->text[0] == '{')));
}

/* Makes PATH, which is relative, one behind the last slash of that of URL. */
static void resolve_path(struct crier__url_text *path, const struct crier__url *url,
                         struct scratch *scratch)
{
    struct crier__url_text base = url->parts[CRIER__URL_PATHNAME];
    size_t begin = scratch->used;

    while (base.length != 0 && base.text[base.length - 1] != '/')
        base.length--;
    if (base.length == 0)
        return;
    put_escaped(scratch, &base);
    put_scratch(scratch, path->text, path->length);
    *path = get_written(scratch, begin);
}

/* Fills PARTS with those of the base of LENGTH bytes at TEXT that they lack. False when
 * that is not a URL. */
static bool apply_base(struct crier__url_text parts[CRIER__URL_PARTS],
                       const struct crier__url_text *base, struct scratch *scratch)
{
    struct crier__url_text *path = &parts[CRIER__URL_PATHNAME];
    bool given = path->text != NULL;
    struct crier__url url;

    if (!crier__url_parse(&url, base->text, base->length, NULL))
        return false;
    inherit_parts(parts, &url, scratch);
    if (given && !url.opaque && !is_absolute_path(path))
        resolve_path(path, &url, scratch);
    return !scratch->full;
}

/* Takes the delimiter C off the beginning of TEXT, or its end. */
static void strip_delimiter(struct crier__url_text *text, char c, bool at_end)
{
    if (text->length == 0 || text->text[at_end ? text->length - 1 : 0] != c)
        return;
    text->text += !at_end;
    text->length--;
}

int crier__url_pattern_of(const struct crier__url_pattern_init *init,
                          struct crier__url_pattern **pattern)
{
    struct crier__url_text parts[CRIER__URL_PARTS], *port;
    struct scratch scratch = {.used = 0};
    struct crier__url_pattern *made;
    int i, error;

    memcpy(parts, init->parts, sizeof parts);
    if (init->base.text != NULL && !apply_base(parts, &init->base, &scratch))
        return CRIER_ERR_SELECTOR;
    for (i = 0; i < CRIER__URL_PARTS; i++)
        if (parts[i].text == NULL)
            parts[i] = (struct crier__url_text){"*", 1};
    strip_delimiter(&parts[CRIER__URL_PROTOCOL], ':', true);
    strip_delimiter(&parts[CRIER__URL_SEARCH], '?', false);
    strip_delimiter(&parts[CRIER__URL_HASH], '#', false);
    port = &parts[CRIER__URL_PORT];
    if (crier__url_is_default_port(&parts[CRIER__URL_PROTOCOL], port->text,
                                   port->length))
        port->length = 0;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    error = compile_parts(parts, made);
    if (error != 0) {
        crier__url_pattern_free(made);
        return error;
    }
    *pattern = made;
    return 0;
}

/* ---- constructor strings ---------------------------------------------- */

/* What of a constructor string is read. */
enum constructor_state {
    STATE_INIT = CRIER__URL_PARTS,
    STATE_AUTHORITY,
    STATE_DONE
    /* and the parts */
};

struct constructor {
    struct tokens tokens;
    struct crier__url_pattern_init *init;
    int state;
    unsigned index, increment, begin; /* begin: of the part */
    unsigned groups, brackets;        /* that are open */
    bool special; /* the protocol matches a special scheme */
};

/* Whether the token at INDEX is the character C, escaped or not. */
static bool is_plain_char(const struct constructor *constructor, unsigned index, char c)
{
    const struct token *token;

    if (index >= constructor->tokens.count)
        index = constructor->tokens.count - 1;
    token = &constructor->tokens.items[index];
    return token->length == 1 && constructor->tokens.text[token->value] == c &&
           (token->type == TOKEN_CHAR || token->type == TOKEN_ESCAPED ||
            token->type == TOKEN_INVALID);
}

/* Whether the next token begins the search: a '?' that is no modifier. */
static bool begins_search(const struct constructor *constructor)
{
    const struct token *token = &constructor->tokens.items[constructor->index];

    if (is_plain_char(constructor, constructor->index, '?'))
        return true;
    if (token->length != 1 || constructor->tokens.text[token->value] != '?')
        return false;
    if (constructor->index == 0)
        return true;
    token--;
    return token->type != TOKEN_NAME && token->type != TOKEN_REGEXP &&
           token->type != TOKEN_CLOSE && token->type != TOKEN_ASTERISK;
}

/* The text from the beginning of the part to the next token. */
static struct crier__url_text get_part_text(const struct constructor *constructor)
{
    size_t begin = constructor->tokens.items[constructor->begin].index;
    size_t end = constructor->tokens.items[constructor->index].index;

    return (struct crier__url_text){constructor->tokens.text + begin,
                                    end - begin};
}

static void set_if_missing(struct constructor *constructor,
                           enum crier__url_part part, const char *text)
{
    struct crier__url_text *missing = &constructor->init->parts[part];

    if (missing->text == NULL)
        *missing = (struct crier__url_text){text, strlen(text)};
}

/* Ends the part that is read, and goes on with STATE behind SKIP tokens. */
static void change_state(struct constructor *constructor, int state, unsigned skip)
{
    int old = constructor->state;

    if (old < CRIER__URL_PARTS)
        constructor->init->parts[old] = get_part_text(constructor);
    if (old != STATE_INIT && state != STATE_DONE) {
        if ((old <= CRIER__URL_PASSWORD || old == STATE_AUTHORITY) &&
            state >= CRIER__URL_PORT && state <= CRIER__URL_HASH)
            set_if_missing(constructor, CRIER__URL_HOSTNAME, "");
        if ((old <= CRIER__URL_PORT || old == STATE_AUTHORITY) &&
            (state == CRIER__URL_SEARCH || state == CRIER__URL_HASH))
            set_if_missing(constructor, CRIER__URL_PATHNAME,
                           constructor->special ? "/" : "");
        if ((old <= CRIER__URL_PATHNAME || old == STATE_AUTHORITY) &&
            state == CRIER__URL_HASH)
            set_if_missing(constructor, CRIER__URL_SEARCH, "");
    }
    constructor->state = state;
    constructor->index += skip;
    constructor->begin = constructor->index;
    constructor->increment = 0;
}

/* Reads the part again, in STATE. */
static void rewind_state(struct constructor *constructor, int state)
{
    constructor->index = constructor->begin;
    constructor->increment = 0;
    constructor->state = state;
}

/* Goes on with what follows a host, if the next token begins it. */
static bool leave_host(struct constructor *constructor)
{
    if (is_plain_char(constructor, constructor->index, '/'))
        change_state(constructor, CRIER__URL_PATHNAME, 0);
    else if (begins_search(constructor))
        change_state(constructor, CRIER__URL_SEARCH, 1);
    else if (is_plain_char(constructor, constructor->index, '#'))
        change_state(constructor, CRIER__URL_HASH, 1);
    else
        return false;
    return true;
}

/* Ends the protocol, at its ':'. */
static int end_protocol(struct constructor *constructor)
{
    static const struct crier__url_text none = {"", 0};
    const struct part_options options = {.part = CRIER__URL_PROTOCOL,
                                         .protocol = &none};
    struct crier__url_text text = get_part_text(constructor);
    struct crier__automaton *automaton = NULL;
    int error = compile_part(&text, &options, &automaton);
    unsigned at = constructor->index;

    if (error != 0)
        return error;
    constructor->special = takes_special(automaton);
    free(automaton);
    if (is_plain_char(constructor, at + 1, '/') && is_plain_char(constructor, at + 2, '/'))
        change_state(constructor, STATE_AUTHORITY, 3);
    else
        change_state(constructor,
                     constructor->special ? (int)STATE_AUTHORITY
                                          : (int)CRIER__URL_PATHNAME,
                     1);
    return 0;
}

static void read_hostname(struct constructor *constructor)
{
    unsigned at = constructor->index;

    if (is_plain_char(constructor, at, '['))
        constructor->brackets++;
    else if (is_plain_char(constructor, at, ']'))
        constructor->brackets--;
    else if (is_plain_char(constructor, at, ':') && constructor->brackets == 0)
        change_state(constructor, CRIER__URL_PORT, 1);
    else
        leave_host(constructor);
}

/* Looks at the next token, which is outside of groups. */
static int read_constructor_token(struct constructor *constructor)
{
    unsigned at = constructor->index;

    switch (constructor->state) {
    case STATE_INIT:
        if (is_plain_char(constructor, at, ':'))
            rewind_state(constructor, CRIER__URL_PROTOCOL);
        break;
    case CRIER__URL_PROTOCOL:
        if (is_plain_char(constructor, at, ':'))
            return end_protocol(constructor);
        break;
    case STATE_AUTHORITY:
        if (is_plain_char(constructor, at, '@'))
            rewind_state(constructor, CRIER__URL_USERNAME);
        else if (is_plain_char(constructor, at, '/') || begins_search(constructor) ||
                 is_plain_char(constructor, at, '#'))
            rewind_state(constructor, CRIER__URL_HOSTNAME);
        break;
    case CRIER__URL_USERNAME:
        if (is_plain_char(constructor, at, ':'))
            change_state(constructor, CRIER__URL_PASSWORD, 1);
        else if (is_plain_char(constructor, at, '@'))
            change_state(constructor, CRIER__URL_HOSTNAME, 1);
        break;
    case CRIER__URL_PASSWORD:
        if (is_plain_char(constructor, at, '@'))
            change_state(constructor, CRIER__URL_HOSTNAME, 1);
        break;
    case CRIER__URL_HOSTNAME:
        read_hostname(constructor);
        break;
    case CRIER__URL_PORT:
        leave_host(constructor);
        break;
    case CRIER__URL_PATHNAME:
        if (begins_search(constructor))
            change_state(constructor, CRIER__URL_SEARCH, 1);
        else if (is_plain_char(constructor, at, '#'))
            change_state(constructor, CRIER__URL_HASH, 1);
        break;
    case CRIER__URL_SEARCH:
        if (is_plain_char(constructor, at, '#'))
            change_state(constructor, CRIER__URL_HASH, 1);
        break;
    default:
        break;
    }
    return 0;
}

/* Looks at the end of the tokens. False when it has been reached for good. */
static bool read_constructor_end(struct constructor *constructor)
{
    if (constructor->state == STATE_INIT) {
        /* There is no protocol: it is relative. */
        rewind_state(constructor, STATE_INIT);
        if (is_plain_char(constructor, constructor->index, '#'))
            change_state(constructor, CRIER__URL_HASH, 1);
        else if (begins_search(constructor))
            change_state(constructor, CRIER__URL_SEARCH, 1);
        else
            change_state(constructor, CRIER__URL_PATHNAME, 0);
        return true;
    }
    if (constructor->state == STATE_AUTHORITY) {
        rewind_state(constructor, CRIER__URL_HOSTNAME);
        return true;
    }
    change_state(constructor, STATE_DONE, 0);
    return false;
}

/* Whether the next token is in a group. */
static bool is_in_group(struct constructor *constructor)
{
    const struct token *token = &constructor->tokens.items[constructor->index];

    if (token->type == TOKEN_OPEN) {
        constructor->groups++;
        return true;
    }
    if (constructor->groups != 0 && token->type == TOKEN_CLOSE)
        constructor->groups--;
    else if (constructor->groups != 0)
        return true;
    return false;
}

/* Takes the tokens of CONSTRUCTOR apart into its init. */
static int read_constructor(struct constructor *constructor)
{
    int error = 0;

    while (constructor->index < constructor->tokens.count && error == 0) {
        constructor->increment = 1;
        if (constructor->tokens.items[constructor->index].type == TOKEN_END) {
            if (!read_constructor_end(constructor))
                break;
        } else if (!is_in_group(constructor)) {
            error = read_constructor_token(constructor);
        }
        constructor->index += constructor->increment;
    }
    if (constructor->init->parts[CRIER__URL_HOSTNAME].text != NULL)
        set_if_missing(constructor, CRIER__URL_PORT, "");
    return error;
}

/* Parses the LENGTH bytes at TEXT to INIT. */
static int parse_constructor(const char *text, size_t length,
                             struct crier__url_pattern_init *init)
{
    struct constructor *constructor = calloc(1, sizeof *constructor);
    int error = CRIER_ERR_SELECTOR;
    bool valid;

    if (constructor == NULL)
        return -ENOMEM;
    constructor->init = init;
    constructor->state = STATE_INIT;
    if (split_tokens(&constructor->tokens, text, length, &valid))
        error = read_constructor(constructor);
    free(constructor);
    return error;
}

int crier__url_pattern_new(const char *text, size_t length, const char *base,
                           struct crier__url_pattern **pattern)
{
    struct crier__url_pattern_init init = {.base = {.text = NULL}};
    int error = parse_constructor(text, length, &init);

    if (error != 0)
        return error;
    if (base != NULL)
        init.base = (struct crier__url_text){
            base, strnlen(base, CRIER__PATTERN_MAX + 1)};
    if (init.base.length > CRIER__PATTERN_MAX ||
        (base == NULL && init.parts[CRIER__URL_PROTOCOL].text == NULL))
        return CRIER_ERR_SELECTOR;
    error = crier__url_pattern_of(&init, pattern);
    if (error != 0 || base == NULL)
        return error;
    (*pattern)->base = strdup(base);
    if ((*pattern)->base != NULL)
        return 0;
    crier__url_pattern_free(*pattern);
    return -ENOMEM;
}

void crier__url_pattern_free(struct crier__url_pattern *pattern)
{
    int i;

    if (pattern == NULL)
        return;
    for (i = 0; i < CRIER__URL_PARTS; i++)
        free(pattern->parts[i]);
    free(pattern->base);
    free(pattern);
}

/* ---- matching --------------------------------------------------------- */

bool crier__url_pattern_match_url(const struct crier__url_pattern *pattern,
                                  const struct crier__url *url, size_t *steps)
{
    int i;

    for (i = 0; i < CRIER__URL_PARTS; i++)
        if (pattern->parts[i] != NULL &&
            !crier__automaton_match(pattern->parts[i], url->parts[i].text,
                                    url->parts[i].length, steps))
            return false;
    return true;
}

bool crier__url_pattern_match(const struct crier__url_pattern *pattern,
                              const char *text, size_t length, size_t *steps)
{
    struct crier__url base, url;
    bool has_base = pattern->base != NULL &&
                    crier__url_parse(&base, pattern->base,
                                     strlen(pattern->base), NULL);

    return crier__url_parse(&url, text, length, has_base ? &base : NULL) &&
           crier__url_pattern_match_url(pattern, &url, steps);
}
