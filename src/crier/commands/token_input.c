/*
 * A token as an argument or on standard input, where no other process sees it.
 */
#include <config.h>

#include "token_input.h"

#include "crier/cli/note.h"
#include "pub_input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_MAX ((size_t)64 * 1024)

static const char white[] = " \t\r\n";

/* Appends what standard input holds. */
static bool read_input_token(struct text *text)
{
    struct pub_input input = {0};
    int error;

    if (isatty(STDIN_FILENO))
        note("reading a token from the terminal; end with Ctrl-D");
    error = pub_input_read_all(&input, TOKEN_MAX);
    if (error == 0 && input.text.length != 0)
        text_add(text, input.text.bytes, input.text.length);
    else if (error == -EFBIG)
        note_error("standard input is too long for a token");
    else if (error != 0)
        note_error("cannot read standard input: %s", strerror(-error));
    pub_input_done(&input);
    return error == 0;
}

/* Removes white space at both ends of TEXT. */
static void trim_token(struct text *text)
{
    size_t begin = 0;

    while (begin < text->length && strchr(white, text->bytes[begin]) != NULL)
        begin++;
    while (text->length > begin && strchr(white, text->bytes[text->length - 1]) != NULL)
        text->length--;
    text->length -= begin;
    if (text->bytes != NULL) {
        memmove(text->bytes, text->bytes + begin, text->length);
        text->bytes[text->length] = '\0';
    }
}

bool token_input_read(struct text *text, const char *word)
{
    if (word != NULL && strcmp(word, "-") != 0)
        text_add_string(text, word);
    else if (!read_input_token(text))
        return false;
    trim_token(text);
    if (text->length != 0)
        return true;
    note_error("there is no token");
    return false;
}
