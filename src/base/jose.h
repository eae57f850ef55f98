#ifndef JOSE_H
#define JOSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The algorithms of signatures (RFC 7518, section 3.1; RFC 8037). "none" is not one. */
enum jose_alg {
    JOSE_HS256,
    JOSE_HS384,
    JOSE_HS512,
    JOSE_RS256,
    JOSE_RS384,
    JOSE_RS512,
    JOSE_PS256,
    JOSE_PS384,
    JOSE_PS512,
    JOSE_ES256,
    JOSE_ES384,
    JOSE_ES512,
    JOSE_EDDSA, /* with Ed25519 */
    JOSE_ALGS
};

/* A new signature is made, and a signature is verified, by the one algorithm of the key.
 * Constant: any thread. */
struct jose_key;

/* All zero is an empty list. */
struct jose_keys {
    struct jose_key **list;
    size_t count;
};

/* At most so many keys in a list, and bytes of a file or response with keys. */
#define JOSE_KEYS_MAX 64
#define JOSE_TEXT_MAX ((size_t)256 * 1024)

/* The size of a text that says what is wrong with a key. */
#define JOSE_WHY_SIZE 160

/* "HS256". */
const char *jose_alg_name(enum jose_alg alg);

/* Writes the algorithm called NAME to *ALG. False when it is none of these. */
bool jose_alg_find(const char *name, enum jose_alg *alg);

/* Whether ALG signs and verifies with one secret (HMAC). */
bool jose_alg_is_secret(enum jose_alg alg);

/* Adds a key of the secret of LENGTH bytes at SECRET to KEYS. -EINVAL with the reason in
 * WHY when ALG takes no secret, or when it is shorter than RFC 7518, section 3.2, allows;
 * -E2BIG; -ENOMEM. */
int jose_read_secret(struct jose_keys *keys, enum jose_alg alg,
                     const char *secret, size_t length,
                     char why[JOSE_WHY_SIZE]);

/* Adds the keys in the LENGTH bytes at TEXT to KEYS: PEM (a public key, a private key, or
 * a certificate), a JWK, or a JWK set (RFC 7517). With *ALG, the keys are for that
 * algorithm: those of a set that do not fit are left out, and for HMAC a TEXT that is not
 * JSON is the secret, without a line's end behind it. Without ALG (NULL), only public
 * keys of JWKs are taken, each for the algorithm that it names, or else for the one of its
 * curve, or RS256. -EINVAL with the reason in WHY when that gives no key; -E2BIG;
 * -ENOMEM. Keys are taken from TEXT only: nothing is fetched. */
int jose_read_keys(struct jose_keys *keys, const enum jose_alg *alg,
                   const char *text, size_t length, char why[JOSE_WHY_SIZE]);

/* As jose_read_keys() with what FILE (*stolen*) holds. */
int jose_read_file(struct jose_keys *keys, const enum jose_alg *alg, FILE *file,
                   char why[JOSE_WHY_SIZE]);

/* Frees the keys; KEYS is empty again. */
void jose_keys_done(struct jose_keys *keys);

/* The one algorithm that KEY is for. */
enum jose_alg jose_key_alg(const struct jose_key *key);

/* Its `kid`, borrowed; NULL when it has none. */
const char *jose_key_id(const struct jose_key *key);

/* A signed text in compact serialization (RFC 7515, section 7.1), taken apart. Nothing of
 * it is verified yet. */
struct jose_jws {
    json_t *header;       /* an object */
    unsigned char *bytes; /* that follow: the memory */
    const char *payload;  /* a NUL is behind it */
    size_t payload_length;
    const unsigned char *signature;
    size_t signature_length;
    const char *text; /* what is signed, borrowed from the caller */
    size_t text_length;
};

/* Takes the LENGTH bytes at TEXT (borrowed for the life of JWS) apart. -EINVAL when they
 * are not a compact JWS, or one with `crit`, `b64` or `zip`; -ENOMEM. Call
 * jose_jws_done() in any case. */
int jose_jws_read(struct jose_jws *jws, const char *text, size_t length);

/* Frees what JWS holds. */
void jose_jws_done(struct jose_jws *jws);

/* Whether JWS names KEY's algorithm and KEY verifies its signature. What else its header
 * says about keys has no effect. */
bool jose_jws_verify(const struct jose_jws *jws, const struct jose_key *key);

/* Signs the LENGTH bytes at PAYLOAD with KEY, which is a secret or a private key: a *new*
 * compact JWS with TYP in its header, and ID as `kid`, or for NULL the one of KEY. NULL
 * when KEY cannot sign or memory is short. */
char *jose_sign(const struct jose_key *key, const char *typ, const char *id,
                const char *payload, size_t length);

#define JOSE_SHA256_SIZE 32

/* Writes the SHA-256 of the LENGTH bytes at DATA to DIGEST. False when memory is short. */
bool jose_sha256(const void *data, size_t length,
                 unsigned char digest[JOSE_SHA256_SIZE]);

/* Reads the LENGTH bytes at TEXT, base64url without padding (RFC 4648, section 5), to
 * BYTES, which has room for LENGTH / 4 * 3 + 2. Returns how many, or -1 when they are not
 * the one text for these bytes. */
long jose_base64url_read(const char *text, size_t length, unsigned char *bytes);

#endif
