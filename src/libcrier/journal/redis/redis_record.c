/*
 * An update as the log in Redis has it.
 *
 * Its head is text of lines, with LF between them: "FLAGS TIME COST" in decimal, the id that
 * its publisher gave (or nothing), and then one topic on each line. Neither ids nor topics
 * hold control characters. Its body is the frame without the line of the id. So a script can
 * take a head apart without a library, and never looks into a body.
 *
 * What is read comes from outside: another program may have written to the keys. A head that
 * crier__redis_write_head() does not write, and a body that is no rest of a frame, are damage.
 */
#include <config.h>

#include "redis_record.h"

#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Numbers of a script are doubles. */
#define NUMBER_MAX (UINT64_C(1) << 53)

int crier__redis_write_head(struct crier__buffer *head,
                            const struct crier__update *update)
{
    unsigned flags = (update->is_private ? CRIER__REDIS_PRIVATE : 0U) |
                     (update->last ? CRIER__REDIS_LAST : 0U) |
                     (update->hidden ? CRIER__REDIS_HIDDEN : 0U) |
                     (update->given ? CRIER__REDIS_GIVEN : 0U);
    const char *name;
    char line[64];
    int error;

    snprintf(line, sizeof line, "%u %" PRId64 " %zu\n", flags, update->time,
             crier__update_cost(update));
    error = crier__buffer_add(head, line, strlen(line));
    if (error == 0 && update->given)
        error = crier__buffer_add(head, update->id, strlen(update->id));
    CRIER__TOPICS_EACH (update->topics, name) {
        if (error == 0)
            error = crier__buffer_add(head, "\n", 1);
        if (error == 0)
            error = crier__buffer_add(head, name, strlen(name));
    }
    return error;
}

bool crier__redis_read_number(const redisReply *reply, uint64_t *number)
{
    size_t digits;

    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_INTEGER) {
        *number = (uint64_t)reply->integer;
        return reply->integer >= 0 && *number <= NUMBER_MAX;
    }
    return reply->type == REDIS_REPLY_STRING &&
           crier__number_scan(reply->str, reply->len, &digits, number) &&
           digits == (size_t)reply->len && *number <= NUMBER_MAX;
}

bool crier__redis_is_error(const redisReply *reply, const char *code)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return false;
    /* Before version 7, Redis puts the place in the script in front of its error. */
    return strncmp(reply->str, code, strlen(code)) == 0 ||
           (strncmp(reply->str, "ERR Error running script", 24) == 0 &&
            strstr(reply->str, code) != NULL);
}

bool crier__redis_is_id(const char *id, size_t length)
{
    return length != 0 && length < CRIER__ID_SIZE &&
           (id[0] == '#' ? crier_id_valid(id + 1, length - 1)
                         : crier_id_valid(id, length));
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

bool crier__redis_read_place(const redisReply *reply, struct crier__redis_entry *entry)
{
    const redisReply *text; /* "POSITION-NOTE" */
    size_t digits, more, length;

    if (!crier__redis_is_array(reply, 2) || !is_text(reply->element[0]))
        return false;
    text = reply->element[0];
    length = text->len;
    if (!crier__number_scan(text->str, length, &digits, &entry->position) ||
        digits + 1 >= length || text->str[digits] != '-')
        return false;
    return crier__number_scan(text->str + digits + 1, length - digits - 1, &more,
                              &entry->note) &&
           digits + 1 + more == length && entry->position <= NUMBER_MAX;
}

bool crier__redis_read_entry(const redisReply *reply, struct crier__redis_entry *entry)
{
    const redisReply *fields;
    size_t i;

    if (!crier__redis_read_place(reply, entry) ||
        !crier__redis_is_array(reply->element[1], 2))
        return false;
    fields = reply->element[1];
    for (i = 0; i < fields->elements; i++)
        if (!is_text(fields->element[i]))
            return false;
    if (fields->element[0]->len != 1)
        return false;
    entry->kind = fields->element[0]->str[0];
    entry->head = fields->element[1]->str;
    entry->head_length = fields->element[1]->len;
    if (entry->kind == 'f' || entry->kind == 'e')
        return entry->note != 0 && fields->elements == 2;
    if (entry->kind != 'u' || entry->note != 0 || fields->elements != 4)
        return false;
    entry->body = fields->element[3]->str;
    entry->body_length = fields->element[3]->len;
    return true;
}

/* A head, taken apart. */
struct head {
    uint64_t flags, time;
    char id[CRIER__ID_SIZE];
    const char *topics;
    size_t topics_length;
};

/* Reads a number and the character END behind it at *AT, which moves behind that. */
static bool scan_number(const char **at, const char *stop, char end, uint64_t *number)
{
    size_t digits;

    if (!crier__number_scan(*at, (size_t)(stop - *at), &digits, number) ||
        *at + digits >= stop || (*at)[digits] != end)
        return false;
    *at += digits + 1;
    return true;
}

static bool read_head(const struct crier__redis_entry *entry, struct head *head)
{
    const char *at = entry->head, *stop = at + entry->head_length, *line;
    uint64_t cost;
    size_t length;

    if (!scan_number(&at, stop, ' ', &head->flags) ||
        !scan_number(&at, stop, ' ', &head->time) ||
        !scan_number(&at, stop, '\n', &cost) || head->flags > 15)
        return false;
    line = memchr(at, '\n', (size_t)(stop - at));
    if (line == NULL)
        return false;
    length = (size_t)(line - at);
    if ((length != 0) != ((head->flags & CRIER__REDIS_GIVEN) != 0) ||
        (length != 0 && !crier__redis_is_id(at, length)))
        return false;
    memcpy(head->id, at, length);
    head->id[length] = '\0';
    head->topics = line + 1;
    head->topics_length = (size_t)(stop - head->topics);
    return head->time <= INT64_MAX;
}

/* Makes a *new* update of HEAD and BODY, not placed. */
static int make_of_head(const struct head *head, const char *body, size_t length,
                       struct crier__update **update)
{
    struct crier__topics *topics;
    struct crier_frame *frame;
    int error = crier__topics_split(head->topics, head->topics_length, '\n', &topics);

    *update = NULL;
    if (error != 0)
        return error == -ENOMEM ? error : CRIER_ERR_DAMAGED;
    frame = crier__frame_of(body, length);
    if (frame != NULL)
        *update = crier__update_new(topics, head->id[0] != '\0' ? head->id : NULL,
                                    frame);
    crier_frame_unref(frame);
    free(topics);
    return *update != NULL ? 0 : -ENOMEM;
}

int crier__redis_update_of(const struct crier__redis_entry *entry, const char *epoch,
                           const struct crier__redis_corrected *corrected,
                           struct crier__update **update)
{
    struct crier__update *made;
    struct head head;
    int64_t time;
    int error;

    if (entry->kind != 'u' || !read_head(entry, &head) ||
        !crier__update_body_valid(entry->body, entry->body_length))
        return CRIER_ERR_DAMAGED;
    error = make_of_head(&head, entry->body, entry->body_length, &made);
    if (error != 0)
        return error;
    made->is_private = (head.flags & CRIER__REDIS_PRIVATE) != 0;
    made->last = (head.flags & CRIER__REDIS_LAST) != 0;
    time = (int64_t)head.time;
    if (entry->position <= corrected->upto && time > corrected->time)
        time = corrected->time;
    error = crier__update_place(made, epoch, entry->position, time);
    if (error != 0) {
        crier__update_unref(made);
        return error;
    }
    *update = made;
    return 0;
}
