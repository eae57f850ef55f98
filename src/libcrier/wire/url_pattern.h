#ifndef CRIER_URL_PATTERN_H
#define CRIER_URL_PATTERN_H

#include "url.h"

/*
 * URL patterns (WHATWG URL Pattern Standard). Custom groups of regular expressions are
 * refused, but for those that the standard itself writes as '*' and as a name alone.
 * Constant once compiled. Any thread.
 */
struct crier__url_pattern;

/* The parts of a pattern, and the URL that it is relative to. */
struct crier__url_pattern_init {
    struct crier__url_text parts[CRIER__URL_PARTS];
    struct crier__url_text base;
};

/* Compiles the LENGTH bytes at TEXT, a constructor string, to a *new* *PATTERN, for
 * crier__url_pattern_free(). BASE is a URL that TEXT is relative to, and the URLs that are
 * matched as well, or NULL. CRIER_ERR_SELECTOR, -ENOMEM. */
int crier__url_pattern_new(const char *text, size_t length, const char *base,
                           struct crier__url_pattern **pattern);

/* Likewise of INIT; URLs that are matched are not relative to its base. */
int crier__url_pattern_of(const struct crier__url_pattern_init *init,
                          struct crier__url_pattern **pattern);

/* NULL is allowed. */
void crier__url_pattern_free(struct crier__url_pattern *pattern);

/* Whether the LENGTH bytes at TEXT are a URL that PATTERN matches. STEPS: see
 * crier__automaton_match(). */
bool crier__url_pattern_match(const struct crier__url_pattern *pattern,
                              const char *text, size_t length, size_t *steps);

/* Whether PATTERN matches URL. */
bool crier__url_pattern_match_url(const struct crier__url_pattern *pattern,
                                  const struct crier__url *url, size_t *steps);

#endif
