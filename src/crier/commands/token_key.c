/*
 * The key of `crier token`, as crierd's --jwt-key takes it. $CRIER_KEY and a file keep it
 * out of the list of processes.
 */
#include <config.h>

#include "token_key.h"

#include "crier/cli/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the algorithm before the first ':' of VALUE, if there is one. Returns what
 * follows, or NULL if that is no algorithm. */
static const char *read_algorithm(const char *value, enum jose_alg *alg)
{
    const char *colon = value[0] != '@' ? strchr(value, ':') : NULL;
    char name[16];
    size_t length = colon != NULL ? (size_t)(colon - value) : 0;

    *alg = JOSE_HS256;
    if (colon == NULL)
        return value;
    if (length >= sizeof name)
        return NULL;
    memcpy(name, value, length);
    name[length] = '\0';
    return jose_alg_find(name, alg) ? colon + 1 : NULL;
}

static enum options_result report_algorithm(const char *from)
{
    char known[JOSE_ALGS * 8] = "";
    size_t used = 0;
    int alg;

    for (alg = 0; alg < JOSE_ALGS; alg++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                 alg != 0 ? ", " : "", jose_alg_name(alg));
    return options_report("%s begins with no algorithm before its ':' (known: %s)", from,
                          known);
}

static enum options_result read_key_file(const char *path, const enum jose_alg *alg,
                                         struct jose_keys *keys)
{
    char why[JOSE_WHY_SIZE] = "";
    FILE *file = fopen(path, "re");
    int error;

    if (file == NULL)
        return options_report("cannot open %s: %s", path, strerror(errno));
    error = jose_read_file(keys, alg, file, why);
    if (error == 0)
        return OPTIONS_RUN;
    return options_report("the key in %s cannot be used: %s", path,
                          error == -EINVAL ? why : crier_error_text(error));
}

/* Adds the keys that VALUE describes. FROM names its source in messages, which do not
 * quote it. */
static enum options_result read_key(const char *from, const char *value,
                                    struct jose_keys *keys)
{
    char why[JOSE_WHY_SIZE] = "";
    enum jose_alg alg;
    const char *key = read_algorithm(value, &alg);
    int error;

    if (key == NULL)
        return report_algorithm(from);
    if (key[0] == '@')
        return read_key_file(key + 1, &alg, keys);
    secret_add(key);
    error = jose_read_secret(keys, alg, key, strlen(key), why);
    if (error != 0)
        return options_report("%s cannot be used: %s", from,
                              error == -EINVAL ? why : crier_error_text(error));
    return OPTIONS_RUN;
}

enum options_result token_key_read(const char *value, struct jose_keys *keys)
{
    const char *set = getenv("CRIER_KEY");

    if (value != NULL)
        return read_key("--key", value, keys);
    if (set != NULL && set[0] != '\0')
        return read_key("$CRIER_KEY", set, keys);
    return OPTIONS_RUN;
}
