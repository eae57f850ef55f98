/*
 * An event as text. In a pipe: its data, or a JSON object, and LF. On a terminal: time,
 * topic, type, and the data laid out for people.
 *
 * Text of an event is escaped before it reaches a terminal (printable.c).
 */
#include <config.h>

#include "format.h"

#include "color.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Columns of "HH:MM:SS ". */
#define TIME_WIDTH 9

#define WIDTH_DEFAULT 80

void format_init(struct event_format *format, bool json, bool terminal)
{
    const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");

    *format = (struct event_format){
        .json = json,
        .terminal = terminal,
        .colors = terminal && (no == NULL || no[0] == '\0') &&
                  (kind == NULL || strcmp(kind, "dumb") != 0),
    };
}

/* ---- JSON --------------------------------------------------------------- */

static json_t *make_topics_array(const char *topics)
{
    json_t *array = json_array();
    size_t length;

    for (;;) {
        length = strcspn(topics, ",");
        json_array_append_new(array, json_stringn(topics, length));
        if (topics[length] == '\0')
            return array;
        topics += length + 1;
    }
}

static int append_dump(const char *bytes, size_t length, void *closure)
{
    text_add(closure, bytes, length);
    return 0;
}

static void format_json(const struct event_format *format, struct text *text,
                        const struct crier_message *message)
{
    json_t *object = json_object();
    struct text line = {0};

    if (message->has_id && message->id[0] != '\0')
        json_object_set_new(object, "id", json_string(message->id));
    if (message->time != NULL)
        json_object_set_new(object, "time", json_string(message->time));
    if (message->topics != NULL)
        json_object_set_new(object, "topics", make_topics_array(message->topics));
    if (strcmp(message->type, "message") != 0)
        json_object_set_new(object, "event",
                            json_stringn(message->type, message->type_length));
    json_object_set_new(object, "data", json_stringn(message->data, message->length));
    if (!format->terminal) {
        json_dump_callback(object, append_dump, text, JSON_COMPACT);
    } else {
        json_dump_callback(object, append_dump, &line, JSON_COMPACT);
        text_add_printable_json(text, line.bytes, line.length);
        text_done(&line);
    }
    json_decref(object);
    text_add_string(text, "\n");
}

/* ---- for people --------------------------------------------------------- */

/* Parses an RFC 3339 time in UTC. Returns the current time if TEXT is not one. */
static time_t read_time(const char *text)
{
    struct tm parts = {0};
    const char *end;

    if (text == NULL)
        return time(NULL);
    end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (end == NULL)
        return time(NULL);
    end += strspn(end, ".0123456789");
    return *end == 'Z' ? timegm(&parts) : time(NULL);
}

static size_t get_terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
        return size.ws_col;
    return WIDTH_DEFAULT;
}

static void format_pretty(const struct event_format *format, struct text *text,
                          const struct crier_message *message)
{
    static const char newline[] = "\n         ";
    struct json_layout layout = {.indent = TIME_WIDTH,
                                 .first = TIME_WIDTH + 1,
                                 .width = get_terminal_width(),
                                 .colors = format->colors};
    time_t when = read_time(message->time);
    char clock[16];
    struct tm parts;

    localtime_r(&when, &parts);
    strftime(clock, sizeof clock, "%H:%M:%S", &parts);
    color_add_text(text, COLOR_TIME, format->colors, clock, strlen(clock));
    if (message->topics != NULL) {
        text_add_string(text, " ");
        color_add_text(text, COLOR_TOPIC, format->colors, message->topics,
                       strlen(message->topics));
        layout.first += 1 + strlen(message->topics);
    }
    if (strcmp(message->type, "message") != 0) {
        text_add_string(text, " ");
        color_add_text(text, COLOR_TYPE, format->colors, message->type,
                       message->type_length);
        layout.first += 1 + message->type_length;
    }
    text_add_string(text, "  ");
    if (!color_add_json(text, &layout, message->data, message->length))
        text_add_printable(text, message->data, message->length, newline);
    text_add_string(text, "\n");
}

void format_event(const struct event_format *format, struct text *text,
                  const struct crier_message *message)
{
    if (format->json) {
        format_json(format, text, message);
    } else if (format->terminal) {
        format_pretty(format, text, message);
    } else {
        text_add(text, message->data, message->length);
        text_add_string(text, "\n");
    }
}
