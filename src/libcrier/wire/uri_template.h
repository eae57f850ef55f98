#ifndef CRIER_URI_TEMPLATE_H
#define CRIER_URI_TEMPLATE_H

#include "automaton.h"

/*
 * URI templates (RFC 6570, levels 1 to 4) the other way round: whether a topic is
 * something that a template can expand to.
 */

/* Compiles the LENGTH bytes at TEXT, which are UTF-8, to a *new* *AUTOMATON; free() it.
 * CRIER_ERR_SELECTOR: it is not a template, or has too many parts; -ENOMEM. */
int crier__uri_template_new(const char *text, size_t length,
                            struct crier__automaton **automaton);

/* The length of the valid expression, with its braces, at the LENGTH bytes at TEXT; 0:
 * there is none. */
size_t crier__uri_template_expression(const char *text, size_t length);

/* Whether the LENGTH bytes at TEXT are a template with at least one expression. */
bool crier__uri_template_valid(const char *text, size_t length);

/* How many of the bytes at TEXT, a template, begin everything that it can expand to,
 * unchanged. */
size_t crier__uri_template_beginning(const char *text);

#endif
