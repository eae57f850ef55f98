/*
 * The receipt of an update as JSON, which is what a publisher gets. It is written for
 * each update; by way of jansson it was half of what publishing costs: an object, an
 * array and their members made, walked and freed again. The shape is always the same,
 * so it is written here, and only a name with characters that JSON escapes is left to
 * jansson.
 */
#include <config.h>

#include "crier_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands around the strings. */
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

/* Writes LENGTH bytes of UTF-8 at TEXT as a string to AT. Returns where that ends, NULL
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

/* Writes the array of the names in the list TOPICS. */
static char *put_topics(char *at, const char *topics)
{
    size_t length;

    for (*at++ = '['; at != NULL; topics += length + 1) {
        length = strcspn(topics, ",");
        at = put_string(at, topics, length);
        if (at == NULL || topics[length] == '\0')
            break;
        *at++ = ',';
    }
    if (at != NULL)
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
    size_t id, topics;
    char *text, *at;

    if (receipt == NULL || receipt->id == NULL || receipt->topics == NULL)
        return NULL;
    id = strlen(receipt->id);
    topics = strlen(receipt->topics);
    /* a name of one byte has two quotes and a comma beside it */
    text = at = malloc(FRAME + LONGEST * (id + topics));
    if (text == NULL)
        return NULL;
    at = put_string(put_text(at, "{\"id\":"), receipt->id, id);
    if (at != NULL)
        at = put_topics(put_text(at, ",\"topics\":"), receipt->topics);
    if (at == NULL) {
        free(text);
        return NULL;
    }
    snprintf(at, FRAME, ",\"position\":%llu,\"subscribers\":%zu%s}",
             (unsigned long long)receipt->position, receipt->subscribers,
             receipt->duplicate ? ",\"duplicate\":true" : "");
    return text;
}
