#ifndef CRIERD_DESCRIBE_H
#define CRIERD_DESCRIBE_H

#include "options.h"

#include <jansson.h>

/* A new list of all options that have a value in CONF, in the order of the table: for each
 * an object with its name, value, origin and, where it is so, "secret". It has no secret.
 * NULL when memory is short. */
json_t *describe_options(const struct conf *conf);

#endif
