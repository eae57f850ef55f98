/*
 * The subscribers of each topic on a shard that are awake.
 */
#include <config.h>

#include "subscriber_list.h"

#include "libcrier/wire/topic.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct crier__line *crier__line_find(struct crier__part *part, const char *name,
                                     size_t length)
{
    struct crier__line *line;

    HASH_FIND(hh, part->lines, name, length, line);
    return line;
}

static struct crier__line *get_line(struct crier__part *part, const char *name,
                                    size_t length)
{
    struct crier__line *line = crier__line_find(part, name, length);

    if (line != NULL)
        return line;
    line = calloc(1, sizeof *line + length + 1);
    if (line == NULL)
        return NULL;
    memcpy(line->name, name, length);
    HASH_ADD_KEYPTR(hh, part->lines, line->name, length, line);
    if (line->hh.tbl == NULL) {
        free(line);
        return NULL;
    }
    return line;
}

bool crier__subscriber_line_up(struct crier__subscriber *subscriber)
{
    struct crier__topics walk = {subscriber->topics};
    struct crier__sub *sub = subscriber->subs;
    const char *name;
    size_t length;

    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        sub->line = get_line(subscriber->part, name, length);
        if (sub->line == NULL)
            return false;
        DL_APPEND(sub->line->subs, sub);
        sub++;
    }
    return true;
}

void crier__subscriber_leave_lines(struct crier__subscriber *subscriber)
{
    struct crier__sub *sub = subscriber->subs;
    struct crier__line *line;

    for (; sub < subscriber->subs + subscriber->sub_count; sub++) {
        line = sub->line;
        if (line == NULL)
            continue;
        sub->line = NULL;
        DL_DELETE(line->subs, sub);
        if (line->subs == NULL) {
            HASH_DEL(subscriber->part->lines, line);
            free(line);
        }
    }
}
