/* The URL of a journal in Redis, checked without connecting. */
#include <config.h>

#include "crier.h"
#include "redis_url.h"

#include <stdio.h>

int crier_journal_redis_check(const char *url, char *shown, size_t shown_size, char *reason,
                              size_t size)
{
    struct crier__redis_url *parsed = NULL;
    char why[256] = "";
    int error = CRIER_ERR_NULL;

    if (shown != NULL && shown_size != 0)
        shown[0] = '\0';
    if (url != NULL)
        error = crier__redis_url_parse(url, &parsed, why);
    if (error == 0)
        snprintf(shown, shown != NULL ? shown_size : 0, "%s", parsed->shown);
    snprintf(reason, reason != NULL ? size : 0, "%s", why);
    crier__redis_url_free(parsed);
    return error;
}
