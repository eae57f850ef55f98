/* Setting options, with a sentence for each mistake. */
#include <config.h>

#include "mistakes.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* More are not reported: something else is wrong then, such as the wrong file. */
#define MISTAKES_MAX 20

void mistakes_add(struct mistakes *mistakes, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    size_t i;

    if (mistakes->count++ >= MISTAKES_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (i = 0; text[i] != '\0'; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    mistakes->report(text);
}

void mistakes_add_memory(struct mistakes *mistakes, const char *label)
{
    mistakes->no_memory = true;
    mistakes_add(mistakes, "%s%sout of memory", label != NULL ? label : "",
                 label != NULL ? ": " : "");
}

/* Whether ROW, which is no list, has a value from the same file already. */
static bool is_repeated(const struct conf_source *earlier,
                        const struct option_row *row, struct conf_source source)
{
    return source.origin == CONF_FILE && earlier->origin == CONF_FILE &&
           !option_is_list(row);
}

void mistakes_assign(struct mistakes *mistakes, struct conf *conf,
                     const struct option_row *row, struct conf_source source,
                     const char *label, const char *text)
{
    struct conf_source *earlier = &conf->sources[option_index(row)];
    const bool secret = option_tells_fault(row);
    char wanted[OPTION_WANTED_SIZE];

    if (is_repeated(earlier, row, source)) {
        mistakes_add(mistakes, "%s '%s' is given twice; line %u has it already",
                     label, secret ? "..." : text, earlier->line);
        return;
    }
    if (option_is_list(row) && earlier->origin != source.origin)
        option_clear(conf, row);
    switch (option_set(conf, row, text, wanted)) {
    case 0:
        *earlier = source;
        break;
    case -EINVAL:
        if (secret)
            mistakes_add(mistakes, "%s: %s", label, wanted);
        else
            mistakes_add(mistakes, "%s '%s' is not %s", label, text, wanted);
        break;
    case -E2BIG:
        mistakes_add(mistakes, "%s '%s' is more than the %d that are allowed",
                     label, secret ? "..." : text,
                     secret ? CONF_KEYS_MAX : CONF_TOPICS_MAX);
        break;
    default:
        mistakes_add_memory(mistakes, label);
        break;
    }
}
