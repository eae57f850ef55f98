/* The URL of a journal in Redis, checked without connecting. */
#include <config.h>

#include "crier.h"
#include "redis_url.h"

#include <stdio.h>
#include <string.h>

int crier_journal_redis_check(const char *url, char *shown, size_t shown_size, char *reason,
                              size_t size)
{
    char why[256] = "";
    int error = CRIER_ERR_NULL;

    if (shown != NULL && shown_size != 0)
        shown[0] = '\0';
    if (url != NULL) {
        error = 0;
        snprintf(shown, shown != NULL ? shown_size : 0, "%.*s://...",
                 (int)strcspn(url, ":"), url);
    }
    snprintf(reason, reason != NULL ? size : 0, "%s", why);
    return error;
}
