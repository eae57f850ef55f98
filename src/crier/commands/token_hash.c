/*
 * crier token hash: the hash of a static token, which is all that crierd stores of it.
 * It is a plain SHA-256, which is safe for a token that nobody can guess; so a short one
 * is refused, and a new one has 256 random bits.
 */
#include <config.h>

#include "token_hash.h"

#include "base/jose.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/print.h"
#include "token_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_SIZE 32
#define TOKEN_MIN 16

/* What the command line asks for. */
struct hash_options {
    const char *word; /* NULL: make a token */
};

static const struct option option_table[] = {
    OPTIONS_HELP,
};

static enum options_result set_hash_option(void *closure, struct options *options,
                                           int code, char *value)
{
    struct hash_options *hash = closure;

    (void)options;
    (void)code;
    if (hash->word != NULL)
        return options_report("unexpected argument '%s'", value);
    hash->word = value;
    return OPTIONS_RUN;
}

/* Appends SIZE bytes as hexadecimal digits. */
static void add_hex(struct text *text, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < size; i++) {
        text_add(text, &digits[bytes[i] >> 4], 1);
        text_add(text, &digits[bytes[i] & 15], 1);
    }
}

static bool make_random(struct text *token)
{
    unsigned char bytes[RANDOM_SIZE];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        note_error("cannot make a token: %s", strerror(errno));
        return false;
    }
    add_hex(token, bytes, sizeof bytes);
    return true;
}

/* Returns whether a request can carry TOKEN (RFC 6750, section 2.1) and it is long
 * enough; reports why not. */
static bool check_static(const struct text *token)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t length = strspn(token->bytes, letters);

    length += strspn(token->bytes + length, "=");
    if (length != token->length)
        note_error("a token has only letters, digits and -._~+/, and '=' at its end");
    else if (length < TOKEN_MIN)
        note_error("the token is too easy to guess: it has less than %d characters",
                   TOKEN_MIN);
    return length == token->length && length >= TOKEN_MIN;
}

static int print_hash(void *closure, const struct options *options)
{
    const struct hash_options *hash = closure;
    unsigned char digest[JOSE_SHA256_SIZE];
    struct text token = {0}, line = {0};
    int status = EXIT_FAILURE;

    (void)options;
    if (hash->word == NULL ? make_random(&token)
                           : token_input_read(&token, hash->word) && check_static(&token)) {
        if (jose_sha256(token.bytes, token.length, digest)) {
            add_hex(&line, digest, sizeof digest);
            if (hash->word == NULL)
                print_text("token = %s\n", token.bytes);
            print_text("hash = sha256:%s\n", line.bytes);
            status = EXIT_SUCCESS;
        } else {
            note_error("out of memory");
        }
    }
    text_done(&token);
    text_done(&line);
    return status;
}

int token_hash_run(int argc, char **argv)
{
    struct hash_options hash = {0};
    const struct options_command mine = {.help = help_token,
                                         .table = option_table,
                                         .set = set_hash_option,
                                         .run = print_hash,
                                         .closure = &hash,
                                         .local = true};

    return options_run(&mine, argc, argv);
}
