#ifndef CRIER_SECRET_H
#define CRIER_SECRET_H

#include "printable.h"

/* Secrets that must not be printed: tokens, and the user and password in a URL. */

/* Registers a copy of SECRET as text that is never printed, unless it is so short that
 * other text may contain it by chance. Call before starting threads. */
void secret_add(const char *secret);

/* Removes secrets from LINE, in place: registered ones, user information in URLs, and
 * parameters whose names say that they are secret. Callable from any thread. */
void secret_hide(char *line);

/* Like secret_hide(), for a line of a request or response: also hides headers whose
 * names say that they are secret. */
void secret_hide_wire(char *line);

/* Appends the public parts of URL, which need not be valid: no user information, query
 * or fragment. */
void secret_url(struct text *text, const char *url);

#endif
