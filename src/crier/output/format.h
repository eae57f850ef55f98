#ifndef CRIER_FORMAT_H
#define CRIER_FORMAT_H

#include "crier_client.h"
#include "crier/cli/printable.h"

#include <stdbool.h>

/* Format of printed events. */
struct event_format {
    bool json;     /* one JSON object per line */
    bool terminal; /* laid out for people and escaped for a terminal */
    bool colors;
};

/* Initializes FORMAT. Colors are on for a terminal, unless $NO_COLOR or $TERM says
 * otherwise. */
void format_init(struct event_format *format, bool json, bool terminal);

/* Appends the event MESSAGE and a line end. */
void format_event(const struct event_format *format, struct text *text,
                  const struct crier_message *message);

#endif
