#ifndef CRIERD_CERTIFICATE_H
#define CRIERD_CERTIFICATE_H

#include <gnutls/gnutls.h>
#include <stddef.h>
#include <stdint.h>

/* The certificate of crierd, with its chain and its key. It does not change. */
struct certificate;

/* Reads the chain of certificates in the PEM file CHAIN, crierd's own first, and its key
 * in the PEM file KEY. Returns a *new* reference; or NULL with what is wrong in WHY, of SIZE
 * bytes, which names the file. */
struct certificate *certificate_read(const char *chain, const char *key,
                                     char *why, size_t size);

/* Takes one more reference and returns CERTIFICATE. Any thread. */
struct certificate *certificate_ref(struct certificate *certificate);

/* Gives a reference back; NULL is allowed. Any thread. */
void certificate_unref(struct certificate *certificate);

/* Until when CERTIFICATE is valid, in seconds since 1970. */
int64_t certificate_expires(const struct certificate *certificate);

/* What a session presents CERTIFICATE by: borrowed, for sessions of any thread. */
gnutls_certificate_credentials_t
certificate_credentials(const struct certificate *certificate);

#endif
