#ifndef CRIER_ASK_H
#define CRIER_ASK_H

#include "crier/cli/config_file.h"

#include <jansson.h>

/* What a server answered. */
struct answer {
    json_t *body; /* an object */
    double time;  /* it took, in ms */
};

/* GETs PATH (with a query, encoded) of the server, which may take TIMEOUT ms.
 * False unless that is answered with 200 and a JSON object; why, is told. The
 * body is to be given back with json_decref(). */
bool ask(const struct conf *conf, const char *path, uint32_t timeout,
         struct answer *answer);

/* The text under KEY of OBJECT; "" when there is none. Borrowed. */
const char *ask_text(const json_t *object, const char *key);

#endif
