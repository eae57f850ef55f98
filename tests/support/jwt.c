#include <config.h>

#include "jwt.h"

#include <check.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends the base64url of the LENGTH bytes at FROM to TO. */
static void append_base64url(char *to, const void *from, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = from;
    unsigned value = 0, bits = 0;
    size_t i;

    to += strlen(to);
    for (i = 0; i < length; i++) {
        value = value << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *to++ = digits[value >> (bits - 6) & 63];
    }
    if (bits != 0)
        *to++ = digits[value << (6 - bits) & 63];
    *to = '\0';
}

static char *make_signed(const char *header, const char *secret,
                         const char *claims)
{
    char *text = calloc(1, 2 * strlen(claims) + 256);
    unsigned char signature[32];

    append_base64url(text, header, strlen(header));
    strcat(text, ".");
    append_base64url(text, claims, strlen(claims));
    ck_assert_int_eq(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, strlen(secret),
                                      text, strlen(text), signature),
                     0);
    strcat(text, ".");
    append_base64url(text, signature, sizeof signature);
    return text;
}

char *jwt_make(const char *secret, const char *claims)
{
    return make_signed("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", secret, claims);
}

char *jwt_make_access(const char *secret, const char *claims)
{
    return make_signed("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", secret, claims);
}

char *jwt_rename(const char *text, const char *alg)
{
    const char *claims = strchr(text, '.'), *signature = strrchr(text, '.');
    char header[64], *made = calloc(1, strlen(text) + sizeof header * 2);

    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
    append_base64url(made, header, strlen(header));
    strncat(made, claims, (size_t)(signature - claims) + 1);
    if (strcmp(alg, "none") != 0)
        strcat(made, signature + 1);
    return made;
}
