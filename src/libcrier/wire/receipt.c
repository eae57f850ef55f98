/*
 * The receipt of an update as JSON, which every publisher gets. Making it with jansson
 * took half of the time of publishing: an object, an array and their members are made,
 * walked and freed again. The shape is always the same, so this file writes it, and
 * leaves only names with characters that JSON escapes to jansson.
 */
#include <config.h>

#include "crier_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The size of everything but the strings. */
#define FRAME 160

/* A byte may become \uXXXX. */
#define LONGEST 6

static bool is_plain(const char *text, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == '"' || text[i] == '\\')
            return false;
    return true;
}

/* Writes LENGTH bytes of UTF-8 at TEXT as a JSON string to AT. Returns its end, or NULL
 * when memory is short. */
static char *put_string(char *at, const char *text, size_t length)
{
    json_t *string;
    size_t size;

    if (is_plain(text, length)) {
        *at++ = '"';
        memcpy(at, text, length);
        at += length;
        *at++ = '"';
        return at;
    }
    string = json_stringn(text, length);
    size = string != NULL ? json_dumpb(string, at, LONGEST * length + 2,
                                       JSON_ENCODE_ANY)
                          : 0;
    json_decref(string);
    return size != 0 ? at + size : NULL;
}

/* Writes the array of the topics of RECEIPT. */
static char *put_topics(char *at, const struct crier_receipt *receipt)
{
    size_t i;

    *at++ = '[';
    for (i = 0; i < receipt->topic_count; i++) {
        if (i != 0)
            *at++ = ',';
        at = put_string(at, receipt->topics[i], strlen(receipt->topics[i]));
        if (at == NULL)
            return NULL;
    }
    *at++ = ']';
    return at;
}

static char *put_text(char *at, const char *text)
{
    size_t length = strlen(text);

    memcpy(at, text, length);
    return at + length;
}

char *crier_receipt_text(const struct crier_receipt *receipt)
{
    size_t id, topics = 0, i;
    char *text, *at;

    if (receipt == NULL || receipt->id == NULL || receipt->topics == NULL)
        return NULL;
    id = strlen(receipt->id);
    /* even a name of one byte has room for its two quotes and a comma */
    for (i = 0; i < receipt->topic_count; i++)
        topics += strlen(receipt->topics[i]) + 1;
    text = at = malloc(FRAME + LONGEST * (id + topics));
    if (text == NULL)
        return NULL;
    at = put_string(put_text(at, "{\"id\":"), receipt->id, id);
    if (at != NULL)
        at = put_topics(put_text(at, ",\"topics\":"), receipt);
    if (at == NULL) {
        free(text);
        return NULL;
    }
    snprintf(at, FRAME, ",\"position\":%llu,\"subscribers\":%zu%s}",
             (unsigned long long)receipt->position, receipt->subscribers,
             receipt->duplicate ? ",\"duplicate\":true" : "");
    return text;
}
