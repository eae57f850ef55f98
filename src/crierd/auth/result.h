#ifndef CRIERD_RESULT_H
#define CRIERD_RESULT_H

/* Why a token is refused; auth_refusal_text() is what error_description says of it
 * (RFC 6750 section 3). */
enum auth_result {
    AUTH_OK,
    AUTH_MALFORMED, /* not a token, or larger than allowed */
    AUTH_KEY,       /* no key verifies it: wrong key, algorithm, or signature */
    AUTH_EXPIRED,
    AUTH_NOT_YET,
    AUTH_AUDIENCE,
    AUTH_ISSUER,
    AUTH_CLAIMS, /* verified, but its claims are of the wrong type or out of bounds */
    AUTH_BUSY    /* memory is short, or the keys have not been fetched yet: 503 */
};

#endif
