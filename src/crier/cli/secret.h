#ifndef CRIER_SECRET_H
#define CRIER_SECRET_H

#include "printable.h"

/* What must not be printed: tokens, and the user and password in a URL. */

/* Remembers SECRET, which is copied, as one that is never printed; not if it is so
 * short that other text would hold it by chance. Before any thread is started. */
void secret_add(const char *secret);

/* Takes what is secret out of LINE, in place: what was remembered, the user information
 * of URLs, and parameters whose names say that they are secret. Any thread. */
void secret_hide(char *line);

/* The same for a line of what goes over the wire, with headers whose names say so. */
void secret_hide_wire(char *line);

/* Appends URL, which need not be one, as it may be shown: without user information,
 * query and fragment. */
void secret_url(struct text *text, const char *url);

#endif
