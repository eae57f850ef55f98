#ifndef CRIER_SHOW_H
#define CRIER_SHOW_H

#include "crier_client.h"
#include "crier/cli/printable.h"

#include <stdbool.h>

/* How events are printed. */
struct show {
    bool json;     /* a JSON object a line */
    bool terminal; /* for eyes: and nothing that would drive a terminal */
    bool colours;
};

/* Sets COLOURS: on a terminal, unless the environment says NO_COLOR. */
void show_init(struct show *show, bool json, bool terminal);

/* Appends the event MESSAGE, with a line end. */
void show_event(const struct show *show, struct text *text,
                const struct crier_message *message);

#endif
