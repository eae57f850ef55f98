#ifndef CRIER_FORMAT_H
#define CRIER_FORMAT_H

#include "crier_client.h"
#include "crier/cli/printable.h"

#include <stdbool.h>

/* How events are printed. */
struct event_format {
    bool json;     /* a JSON object a line */
    bool terminal; /* for eyes: and nothing that would drive a terminal */
    bool colors;
};

/* Sets COLOURS: on a terminal, unless the environment says NO_COLOR. */
void format_init(struct event_format *format, bool json, bool terminal);

/* Appends the event MESSAGE, with a line end. */
void format_event(const struct event_format *format, struct text *text,
                  const struct crier_message *message);

#endif
