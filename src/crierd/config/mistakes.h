#ifndef CRIERD_MISTAKES_H
#define CRIERD_MISTAKES_H

#include "options.h"

/* Collects mistakes in the configuration: all are reported, not only the first. */
struct mistakes {
    void (*report)(const char *text); /* called with one line for each */
    unsigned count;
    bool no_memory; /* one of them is that memory was short */
};

/* Reports a mistake. Control characters in the text become '?'. */
void mistakes_add(struct mistakes *mistakes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports that memory was short, for LABEL as in mistakes_assign(), or NULL. */
void mistakes_add_memory(struct mistakes *mistakes, const char *label);

/* Sets ROW's value in CONF as TEXT says, which comes from SOURCE and is called LABEL there,
 * such as "--threads". The first entry of a list replaces those of other sources. */
void mistakes_assign(struct mistakes *mistakes, struct conf *conf,
                     const struct option_row *row, struct conf_source source,
                     const char *label, const char *text);

#endif
