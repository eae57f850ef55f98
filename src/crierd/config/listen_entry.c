/*
 * Where to listen, as --listen and its like say it: an address or a path, and words behind
 * commas. A path has no commas, so that a slip in a word is not taken for a part of it.
 */
#include <config.h>

#include "listen_entry.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL "unix:"

static const char an_address[] =
    "HOST:PORT, such as 127.0.0.1:8080 or [::1]:0, or unix:PATH";
static const char a_path[] =
    "unix:PATH with a path from / on, of at most 107 bytes, without commas";
static const char words_of_address[] =
    "HOST:PORT or HOST:PORT,proxy: mode and group are for unix:PATH";
static const char words_of_path[] =
    "unix:PATH with at most one each of ,mode=0660 ,group=NAME and ,proxy";
static const char a_mode[] =
    "unix:PATH,mode=MODE with a mode in octal up to 0777, such as 0660";
static const char a_group[] =
    "unix:PATH,group=NAME with the name of a group, of at most 32 bytes";

/* Copies the LENGTH bytes at TEXT to COPY of SIZE bytes, as a text. False when they are none
 * or too many. */
static bool copy_part(char *copy, size_t size, const char *text, size_t length)
{
    if (length == 0 || length >= size)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return true;
}

/* Whether TEXT is a mode, which is written to MODE. */
static bool read_mode(const char *text, mode_t *mode)
{
    size_t length = strlen(text);

    *mode = (mode_t)strtoul(text, NULL, 8);
    return length >= 3 && length <= 4 && strspn(text, "01234567") == length &&
           *mode <= 0777;
}

/* Which words an entry has had. */
struct words {
    bool mode, group;
};

/* Reads WORD, which is behind a comma. */
static const char *read_word(struct listen_entry *entry, const char *word,
                             struct words *seen)
{
    const bool local = entry->path[0] != '\0';

    if (strcmp(word, "proxy") == 0 && !entry->proxied) {
        entry->proxied = true;
        return NULL;
    }
    if (local && strncmp(word, "mode=", 5) == 0 && !seen->mode) {
        seen->mode = true;
        return read_mode(word + 5, &entry->mode) ? NULL : a_mode;
    }
    if (local && strncmp(word, "group=", 6) == 0 && !seen->group) {
        seen->group = true;
        return copy_part(entry->group, sizeof entry->group, word + 6,
                         strlen(word + 6))
                   ? NULL
                   : a_group;
    }
    return local ? words_of_path : words_of_address;
}

/* Reads WORDS, each of which has a comma before it. */
static const char *read_words(struct listen_entry *entry, const char *words)
{
    struct words seen = {false, false};
    const char *wanted = NULL;
    char word[64];
    size_t length;

    while (wanted == NULL && *words == ',') {
        length = strcspn(++words, ",");
        wanted = copy_part(word, sizeof word, words, length)
                     ? read_word(entry, word, &seen)
                     : (entry->path[0] != '\0' ? words_of_path
                                               : words_of_address);
        words += length;
    }
    return wanted;
}

const char *listen_entry_read(struct listen_entry *entry, const char *text)
{
    const bool local = strncmp(text, LOCAL, strlen(LOCAL)) == 0;
    char where[ADDRESS_HOST_SIZE + ADDRESS_PORT_SIZE + 3];
    size_t length;

    *entry = (struct listen_entry){.mode = LISTEN_MODE};
    if (local)
        text += strlen(LOCAL);
    length = strcspn(text, ",");
    if (local) {
        if (text[0] != '/' ||
            !copy_part(entry->path, sizeof entry->path, text, length))
            return a_path;
    } else if (!copy_part(where, sizeof where, text, length) ||
               !address_split(where, entry->host, entry->port)) {
        return an_address;
    }
    return read_words(entry, text + length);
}

bool listen_entry_is_local(const struct listen_entry *entry)
{
    return entry->path[0] != '\0' || address_is_loopback(entry->host);
}
