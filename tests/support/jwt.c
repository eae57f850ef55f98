#include <config.h>

#include "jwt.h"

#include "base/jose.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *jwt_make(const char *secret, const char *claims)
{
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE], *text;

    ck_assert_int_eq(jose_read_secret(&keys, JOSE_HS256, secret, strlen(secret),
                                      why),
                     0);
    text = jose_sign(keys.list[0], "JWT", claims, strlen(claims));
    ck_assert_ptr_nonnull(text);
    jose_keys_done(&keys);
    return text;
}

/* Appends the base64url of FROM to TO. */
static void append_base64url(char *to, const char *from)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(from), i, bits = 0;
    unsigned value = 0;

    to += strlen(to);
    for (i = 0; i < length; i++) {
        value = value << 8 | (unsigned char)from[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *to++ = digits[value >> (bits - 6) & 63];
    }
    if (bits != 0)
        *to++ = digits[value << (6 - bits) & 63];
    *to = '\0';
}

char *jwt_rename(const char *text, const char *alg)
{
    const char *claims = strchr(text, '.'), *signature = strrchr(text, '.');
    char header[64], *made = calloc(1, strlen(text) + sizeof header * 2);

    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
    append_base64url(made, header);
    strncat(made, claims, (size_t)(signature - claims) + 1);
    if (strcmp(alg, "none") != 0)
        strcat(made, signature + 1);
    return made;
}
