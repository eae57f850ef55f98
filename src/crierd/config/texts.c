/* Lists of texts in a snapshot of the configuration. */
#include <config.h>

#include "texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int texts_add(struct conf_texts *texts, const char *text, size_t length)
{
    char **more;

    if (texts->count == CONF_TEXTS_MAX)
        return -E2BIG;
    more = realloc(texts->list, (texts->count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    texts->list = more;
    more[texts->count] = strndup(text, length);
    if (more[texts->count] == NULL)
        return -ENOMEM;
    texts->count++;
    return 0;
}

void texts_clear(struct conf_texts *texts)
{
    while (texts->count > 0)
        free(texts->list[--texts->count]);
    free(texts->list);
    texts->list = NULL;
}
