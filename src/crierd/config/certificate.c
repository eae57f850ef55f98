/*
 * The certificate by which clients of a TLS listener know crierd. It is read with the
 * configuration and belongs to its snapshot, so a reload reads it anew, and a pair that is
 * no use is a mistake like any other: the old snapshot stays, with the old pair. A
 * connection holds a reference to the certificate that its handshake has used, since GnuTLS
 * keeps pointers into it.
 *
 * Both files are read and compared here instead of by one call of GnuTLS, whose errors do
 * not say which file is at fault.
 */
#include <config.h>

#include "certificate.h"

#include "base/file.h"
#include "base/jose.h"

#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the certificates in a file. */
#define CHAIN_MAX 16

struct certificate {
    atomic_uint references;
    int64_t expires;
    gnutls_certificate_credentials_t credentials;
};

/* What is read from the two files. */
struct pair {
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned count; /* of certificates */
    gnutls_x509_privkey_t key;
};

/* Reads the file PATH into TEXT, which is to be freed. NULL, or why that failed, in WHY. */
static const char *load_pem(const char *path, gnutls_datum_t *text,
                            char why[JOSE_WHY_SIZE])
{
    size_t length;
    char *bytes;

    if (crier__file_load(path, JOSE_TEXT_MAX, &bytes, &length, why, JOSE_WHY_SIZE) != 0)
        return why;
    *text = (gnutls_datum_t){(unsigned char *)bytes, (unsigned)length};
    return NULL;
}

/* Reads the chain in the file PATH. NULL, or why that failed; WHY has room for it. */
static const char *read_chain(struct pair *pair, const char *path,
                              char why[JOSE_WHY_SIZE])
{
    gnutls_datum_t text;
    const char *wrong = load_pem(path, &text, why);
    int error;

    if (wrong != NULL)
        return wrong;
    pair->count = CHAIN_MAX;
    error = gnutls_x509_crt_list_import(pair->chain, &pair->count, &text,
                                        GNUTLS_X509_FMT_PEM, 0);
    free(text.data);
    if (error > 0)
        return NULL;
    pair->count = 0;
    switch (error) {
    case GNUTLS_E_SHORT_MEMORY_BUFFER:
        return "it has more than 16 certificates";
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR:
    case 0:
        return "it has no certificate in PEM";
    default:
        return gnutls_strerror(error);
    }
}

/* The same with the key. */
static const char *read_key(struct pair *pair, const char *path,
                            char why[JOSE_WHY_SIZE])
{
    gnutls_datum_t text;
    const char *wrong = load_pem(path, &text, why);
    int error;

    if (wrong != NULL)
        return wrong;
    error = gnutls_x509_privkey_init(&pair->key);
    if (error == 0)
        error = gnutls_x509_privkey_import2(pair->key, &text,
                                            GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(text.data, 0, text.size);
    free(text.data);
    switch (error) {
    case 0:
        return NULL;
    case GNUTLS_E_DECRYPTION_FAILED:
        return "the key needs a password, which crierd cannot ask for";
    case GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR:
    case GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE:
        return "it has no private key in PEM";
    default:
        return gnutls_strerror(error);
    }
}

static void free_pair(struct pair *pair)
{
    while (pair->count != 0)
        gnutls_x509_crt_deinit(pair->chain[--pair->count]);
    if (pair->key != NULL)
        gnutls_x509_privkey_deinit(pair->key);
}

/* A new certificate of PAIR; NULL, and *ERROR is GnuTLS's. */
static struct certificate *make_certificate(const struct pair *pair, int *error)
{
    struct certificate *made = calloc(1, sizeof *made);

    *error = GNUTLS_E_MEMORY_ERROR;
    if (made == NULL)
        return NULL;
    atomic_init(&made->references, 1);
    made->expires = gnutls_x509_crt_get_expiration_time(pair->chain[0]);
    *error = gnutls_certificate_allocate_credentials(&made->credentials);
    if (*error < 0) {
        free(made);
        return NULL;
    }
    *error = gnutls_certificate_set_x509_key(
        made->credentials, (gnutls_x509_crt_t *)pair->chain, (int)pair->count,
        pair->key);
    if (*error >= 0)
        return made;
    certificate_unref(made);
    return NULL;
}

struct certificate *certificate_read(const char *chain, const char *key,
                                     char *why, size_t size)
{
    struct certificate *made = NULL;
    char reason[JOSE_WHY_SIZE];
    struct pair pair = {.count = 0};
    const char *wrong;
    int error;

    wrong = read_chain(&pair, chain, reason);
    if (wrong != NULL) {
        snprintf(why, size, "%s: %s", chain, wrong);
        goto done;
    }
    wrong = read_key(&pair, key, reason);
    if (wrong != NULL) {
        snprintf(why, size, "%s: %s", key, wrong);
        goto done;
    }
    made = make_certificate(&pair, &error);
    if (made == NULL)
        snprintf(why, size, "%s: %s", key,
                 error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
                     ? "the key is not that of the certificate"
                     : gnutls_strerror(error));
done:
    free_pair(&pair);
    return made;
}

struct certificate *certificate_ref(struct certificate *certificate)
{
    atomic_fetch_add(&certificate->references, 1);
    return certificate;
}

void certificate_unref(struct certificate *certificate)
{
    if (certificate == NULL || atomic_fetch_sub(&certificate->references, 1) != 1)
        return;
    gnutls_certificate_free_credentials(certificate->credentials);
    free(certificate);
}

int64_t certificate_expires(const struct certificate *certificate)
{
    return certificate->expires;
}

gnutls_certificate_credentials_t
certificate_credentials(const struct certificate *certificate)
{
    return certificate->credentials;
}
