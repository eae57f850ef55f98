/*
 * Keys and signatures (JOSE), by librhonabwy and GnuTLS. No other file includes their
 * headers.
 *
 * librhonabwy reads keys. It does not see a token that somebody presents: jose_jws_read()
 * takes it apart, and GnuTLS verifies the signature with the key as it was imported when
 * the configuration was read; GnuTLS signs, too. The reasons, all read in 1.1.11:
 * librhonabwy takes the algorithm from the token; it inflates a compressed payload before
 * anything is verified; its ECDSA does not bind the curve to the algorithm; it compares
 * HMACs with strcmp(); it imports the key again for each signature; and it crashes where
 * memory is short.
 *
 * What always holds: a key has one algorithm, which fits its type and, for ECDSA, its
 * curve; a text that holds an RSA or EC key never becomes the secret of an HMAC; members
 * that refer to something elsewhere (x5u) are removed from a JWK before librhonabwy reads
 * it, and R_FLAG_IGNORE_REMOTE is set in all calls that take it.
 */
#include <config.h>

#include "jose.h"

#include "file.h"
#include "json_read.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <rhonabwy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7518, sections 3.3 and 3.5; the upper limit bounds the cost of a signature. */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* How much base64 a header may be. */
#define HEADER_MAX 2048

struct jose_key {
    enum jose_alg alg;
    char *id;               /* or NULL */
    jwk_t *jwk;             /* a private key; or NULL */
    gnutls_pubkey_t public; /* NULL: the secret counts */
    unsigned char *secret;
    size_t length;
};

static const struct algorithm {
    const char *name;
    const char *type;   /* of its JWK, `kty` */
    const char *curve;  /* `crv`, or NULL */
    int gnutls;         /* a gnutls_mac_algorithm_t for a secret, or a
                           gnutls_sign_algorithm_t */
    unsigned size;      /* of an HMAC, or a half of an ECDSA signature; otherwise 0 */
} algorithms[JOSE_ALGS] = {
    {"HS256", "oct", NULL, GNUTLS_MAC_SHA256, 32},
    {"HS384", "oct", NULL, GNUTLS_MAC_SHA384, 48},
    {"HS512", "oct", NULL, GNUTLS_MAC_SHA512, 64},
    {"RS256", "RSA", NULL, GNUTLS_SIGN_RSA_SHA256, 0},
    {"RS384", "RSA", NULL, GNUTLS_SIGN_RSA_SHA384, 0},
    {"RS512", "RSA", NULL, GNUTLS_SIGN_RSA_SHA512, 0},
    {"PS256", "RSA", NULL, GNUTLS_SIGN_RSA_PSS_SHA256, 0},
    {"PS384", "RSA", NULL, GNUTLS_SIGN_RSA_PSS_SHA384, 0},
    {"PS512", "RSA", NULL, GNUTLS_SIGN_RSA_PSS_SHA512, 0},
    {"ES256", "EC", "P-256", GNUTLS_SIGN_ECDSA_SHA256, 32},
    {"ES384", "EC", "P-384", GNUTLS_SIGN_ECDSA_SHA384, 48},
    {"ES512", "EC", "P-521", GNUTLS_SIGN_ECDSA_SHA512, 66},
    {"EdDSA", "OKP", "Ed25519", GNUTLS_SIGN_EDDSA_ED25519, 0},
};

/* ---- algorithms ------------------------------------------------------- */

const char *jose_alg_name(enum jose_alg alg)
{
    return algorithms[alg].name;
}

bool jose_alg_find(const char *name, enum jose_alg *alg)
{
    unsigned i;

    for (i = 0; i < JOSE_ALGS; i++)
        if (strcmp(name, algorithms[i].name) == 0) {
            *alg = (enum jose_alg)i;
            return true;
        }
    return false;
}

bool jose_alg_is_secret(enum jose_alg alg)
{
    return alg <= JOSE_HS512;
}

/* ---- base64url -------------------------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789-_";

/* The values of the digits, and 64 for what is none. */
static void fill_values(unsigned char values[256])
{
    unsigned i;

    memset(values, 64, 256);
    for (i = 0; i < 64; i++)
        values[(unsigned char)digits[i]] = (unsigned char)i;
}

long jose_base64url_read(const char *text, size_t length, unsigned char *bytes)
{
    unsigned char values[256];
    unsigned value, bits = 0, held = 0;
    size_t i;
    long count = 0;

    fill_values(values);
    for (i = 0; i < length; i++) {
        value = values[(unsigned char)text[i]];
        if (value == 64)
            return -1;
        held = (held << 6 | value) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[count++] = (unsigned char)(held >> bits);
        }
    }
    return bits < 6 && (held & ((1u << bits) - 1)) == 0 ? count : -1;
}

/* ---- lists of keys ---------------------------------------------------- */

static void free_key(struct jose_key *key)
{
    if (key == NULL)
        return;
    free(key->id);
    if (key->jwk != NULL)
        r_jwk_free(key->jwk);
    if (key->public != NULL)
        gnutls_pubkey_deinit(key->public);
    if (key->secret != NULL)
        gnutls_memset(key->secret, 0, key->length);
    free(key->secret);
    free(key);
}

void jose_keys_done(struct jose_keys *keys)
{
    while (keys->count > 0)
        free_key(keys->list[--keys->count]);
    free(keys->list);
    keys->list = NULL;
}

/* Adds KEY to KEYS, or frees it. */
static int add_key(struct jose_keys *keys, struct jose_key *key)
{
    struct jose_key **more = NULL;
    int error = keys->count < JOSE_KEYS_MAX ? -ENOMEM : -E2BIG;

    if (error == -ENOMEM)
        more = realloc(keys->list, (keys->count + 1) * sizeof *more);
    if (more == NULL) {
        free_key(key);
        return error;
    }
    keys->list = more;
    more[keys->count++] = key;
    return 0;
}

enum jose_alg jose_key_alg(const struct jose_key *key)
{
    return key->alg;
}

const char *jose_key_id(const struct jose_key *key)
{
    return key->id;
}

/* ---- secrets ---------------------------------------------------------- */

static int refuse_jwk(char why[JOSE_WHY_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse_jwk(char why[JOSE_WHY_SIZE], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, JOSE_WHY_SIZE, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* Makes a key for ALG of the secret of LENGTH bytes. */
static int make_secret(enum jose_alg alg, const unsigned char *secret,
                       size_t length, struct jose_key **made)
{
    struct jose_key *key = calloc(1, sizeof *key);

    if (key == NULL)
        return -ENOMEM;
    key->alg = alg;
    key->length = length;
    key->secret = malloc(length);
    if (key->secret == NULL) {
        free_key(key);
        return -ENOMEM;
    }
    memcpy(key->secret, secret, length);
    *made = key;
    return 0;
}

static int check_secret(enum jose_alg alg, size_t length,
                        char why[JOSE_WHY_SIZE])
{
    if (!jose_alg_is_secret(alg))
        return refuse_jwk(why, "%s takes a key, not a secret: give it as @FILE",
                          jose_alg_name(alg));
    if (length < algorithms[alg].size)
        return refuse_jwk(why, "a secret for %s has at least %u bytes (RFC 7518)",
                          jose_alg_name(alg), algorithms[alg].size);
    return 0;
}

int jose_read_secret(struct jose_keys *keys, enum jose_alg alg,
                     const char *secret, size_t length,
                     char why[JOSE_WHY_SIZE])
{
    struct jose_key *key = NULL;
    int error = check_secret(alg, length, why);

    if (error == 0 && memmem(secret, length, "-----BEGIN ", 11) != NULL)
        error = refuse_jwk(why, "a key in PEM is not a secret for %s",
                           jose_alg_name(alg));
    if (error == 0)
        error = make_secret(alg, (const unsigned char *)secret, length, &key);
    return error == 0 ? add_key(keys, key) : error;
}

/* ---- JWK -------------------------------------------------------------- */

static const char *read_member(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    return text != NULL ? text : "";
}

/* Whether the list LIST has the text TEXT. */
static bool has_text(const json_t *list, const char *text)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (list, i, entry) {
        if (json_is_string(entry) && strcmp(json_string_value(entry), text) == 0)
            return true;
    }
    return false;
}

/* Whether JWK is for signatures, as far as it says what it is for. */
static bool is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *operations = json_object_get(jwk, "key_ops");

    if (use != NULL && strcmp(read_member(jwk, "use"), "sig") != 0)
        return false;
    return operations == NULL || has_text(operations, "verify") ||
           has_text(operations, "sign");
}

/* Writes the algorithm that JWK is for, as it names it or as its type has it, to *ALG. */
static bool find_alg(const json_t *jwk, enum jose_alg *alg)
{
    unsigned i;

    if (json_object_get(jwk, "alg") != NULL)
        return jose_alg_find(read_member(jwk, "alg"), alg);
    for (i = JOSE_RS256; i < JOSE_ALGS; i++)
        if (strcmp(read_member(jwk, "kty"), algorithms[i].type) == 0 &&
            (algorithms[i].curve == NULL ||
             strcmp(read_member(jwk, "crv"), algorithms[i].curve) == 0)) {
            *alg = (enum jose_alg)i;
            return true;
        }
    return false;
}

/* Checks that JWK can be a key for ALG. */
static int check_jwk(const json_t *jwk, enum jose_alg alg,
                     char why[JOSE_WHY_SIZE])
{
    const struct algorithm *algorithm = &algorithms[alg];

    if (strcmp(read_member(jwk, "kty"), algorithm->type) != 0)
        return refuse_jwk(why, "not a key for %s: its type is '%.20s', not %s",
                          algorithm->name, read_member(jwk, "kty"),
                          algorithm->type);
    if (algorithm->curve != NULL &&
        strcmp(read_member(jwk, "crv"), algorithm->curve) != 0)
        return refuse_jwk(why, "not a key for %s: its curve is '%.20s', not %s",
                          algorithm->name, read_member(jwk, "crv"),
                          algorithm->curve);
    if (json_object_get(jwk, "alg") != NULL &&
        strcmp(read_member(jwk, "alg"), algorithm->name) != 0)
        return refuse_jwk(why, "a key for %.20s, not for %s",
                          read_member(jwk, "alg"), algorithm->name);
    if (!is_for_signatures(jwk))
        return refuse_jwk(why, "a key that is not for signatures");
    return 0;
}

/* Makes a key for ALG of the secret in JWK. */
static int make_oct(const json_t *jwk, enum jose_alg alg,
                    struct jose_key **made, char why[JOSE_WHY_SIZE])
{
    const char *text = read_member(jwk, "k");
    size_t length = strlen(text);
    unsigned char *secret = malloc(length / 4 * 3 + 2);
    long count;
    int error;

    if (secret == NULL)
        return -ENOMEM;
    count = jose_base64url_read(text, length, secret);
    if (count < 0)
        error = refuse_jwk(why, "its member k is not base64url");
    else
        error = check_secret(alg, (size_t)count, why);
    if (error == 0)
        error = make_secret(alg, secret, (size_t)count, made);
    gnutls_memset(secret, 0, length / 4 * 3 + 2);
    free(secret);
    return error;
}

/* Imports the public part of KEY's JWK into GnuTLS. A JWK without a private part is not
 * kept. */
static int import_public(struct jose_key *key, char why[JOSE_WHY_SIZE])
{
    const int flags = R_FLAG_IGNORE_REMOTE;
    jwk_t *jwk = key->jwk, *public = NULL;
    unsigned bits = 0;
    bool private = (r_jwk_key_type(jwk, &bits, flags) & R_KEY_TYPE_PRIVATE) != 0;

    if (strcmp(algorithms[key->alg].type, "RSA") == 0 &&
        (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
        return refuse_jwk(why, "an RSA key has from %d to %d bits", RSA_BITS_MIN,
                          RSA_BITS_MAX);
    if (private && (r_jwk_init(&public) != RHN_OK ||
                    r_jwk_extract_pubkey(jwk, public, flags) != RHN_OK)) {
        r_jwk_free(public);
        return refuse_jwk(why, "not a valid private key");
    }
    key->public = r_jwk_export_to_gnutls_pubkey(private ? public : jwk, flags);
    r_jwk_free(public);
    if (key->public == NULL)
        return refuse_jwk(why, "not a valid key");
    if (!private) {
        r_jwk_free(jwk);
        key->jwk = NULL;
    }
    return 0;
}

/* Makes a key for ALG of JWK, which check_jwk() has passed. */
static int make_public(json_t *jwk, enum jose_alg alg, struct jose_key **made,
                       char why[JOSE_WHY_SIZE])
{
    static const char *const elsewhere[] = {"x5u", "x5c", "x5t", "x5t#S256"};
    struct jose_key *key = calloc(1, sizeof *key);
    size_t i;
    int error;

    if (key == NULL || r_jwk_init(&key->jwk) != RHN_OK) {
        free(key);
        return -ENOMEM;
    }
    key->alg = alg;
    for (i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        json_object_del(jwk, elsewhere[i]);
    if (r_jwk_import_from_json_t(key->jwk, jwk) != RHN_OK)
        error = refuse_jwk(why, "not a valid JWK");
    else
        error = import_public(key, why);
    if (error != 0)
        free_key(key);
    else
        *made = key;
    return error;
}

/* Adds a key of JWK for *ALG, or for its own algorithm, to KEYS. */
static int add_jwk(struct jose_keys *keys, const enum jose_alg *alg,
                   json_t *jwk, char why[JOSE_WHY_SIZE])
{
    const char *id = json_string_value(json_object_get(jwk, "kid"));
    struct jose_key *key = NULL;
    enum jose_alg own;
    int error;

    if (!json_is_object(jwk))
        return refuse_jwk(why, "not a JWK");
    if (alg == NULL) {
        if (!find_alg(jwk, &own) || jose_alg_is_secret(own))
            return refuse_jwk(why, "no public key for signatures that is supported");
        alg = &own;
    }
    error = check_jwk(jwk, *alg, why);
    if (error == 0)
        error = jose_alg_is_secret(*alg) ? make_oct(jwk, *alg, &key, why)
                                         : make_public(jwk, *alg, &key, why);
    if (error != 0)
        return error;
    if (id != NULL && (key->id = strdup(id)) == NULL) {
        free_key(key);
        return -ENOMEM;
    }
    return add_key(keys, key);
}

/* Adds the keys of a JWK set that are for *ALG, or all that are supported. RFC 7517,
 * section 5: the others are ignored. */
static int add_set(struct jose_keys *keys, const enum jose_alg *alg,
                   const json_t *set, char why[JOSE_WHY_SIZE])
{
    size_t before = keys->count, i;
    json_t *jwk;
    int error;

    if (!json_is_array(set))
        return refuse_jwk(why, "the member keys of the JWK set is not an array");
    snprintf(why, JOSE_WHY_SIZE, "a JWK set without keys");
    json_array_foreach (set, i, jwk) {
        error = add_jwk(keys, alg, jwk, why);
        if (error == -E2BIG)
            snprintf(why, JOSE_WHY_SIZE, "more than %d keys", JOSE_KEYS_MAX);
        if (error != 0 && error != -EINVAL)
            return error;
    }
    return keys->count > before ? 0 : -EINVAL;
}

static int add_json_keys(struct jose_keys *keys, const enum jose_alg *alg,
                         const char *text, size_t length, char why[JOSE_WHY_SIZE])
{
    json_t *json = json_read(text, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *set = json_object_get(json, "keys");
    int error;

    if (json == NULL)
        return refuse_jwk(why, "not JSON, or too deep");
    if (set != NULL)
        error = add_set(keys, alg, set, why);
    else
        error = add_jwk(keys, alg, json, why);
    json_decref(json);
    return error;
}

/* ---- PEM -------------------------------------------------------------- */

/* Finds the first part of TEXT that is a key or a certificate: `openssl ecparam` writes
 * parameters before it. NULL when there is none. */
static const char *find_pem(const char *text, int *type)
{
    static const struct {
        const char *begin;
        int type;
    } parts[] = {
        {"-----BEGIN PUBLIC KEY-----", R_X509_TYPE_PUBKEY},
        {"-----BEGIN CERTIFICATE-----", R_X509_TYPE_CERTIFICATE},
        {"-----BEGIN PRIVATE KEY-----", R_X509_TYPE_PRIVKEY},
        {"-----BEGIN EC PRIVATE KEY-----", R_X509_TYPE_PRIVKEY},
        {"-----BEGIN RSA PRIVATE KEY-----", R_X509_TYPE_PRIVKEY},
    };
    const char *first = NULL, *found;
    size_t i;

    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        found = strstr(text, parts[i].begin);
        if (found != NULL && (first == NULL || found < first)) {
            first = found;
            *type = parts[i].type;
        }
    }
    return first;
}

/* Adds the key in TEXT, PEM, for ALG. It goes through a JWK, so that the same checks
 * hold. */
static int add_pem(struct jose_keys *keys, enum jose_alg alg, const char *text,
                   char why[JOSE_WHY_SIZE])
{
    int type = 0, error;
    const char *part = find_pem(text, &type);
    jwk_t *jwk;

    if (part == NULL)
        return refuse_jwk(why, "neither a JWK nor, in PEM, a public key, a "
                               "private key without a password, or a certificate");
    if (r_jwk_init(&jwk) != RHN_OK)
        return -ENOMEM;
    if (r_jwk_import_from_pem_der(jwk, type, R_FORMAT_PEM,
                                  (const unsigned char *)part,
                                  strlen(part)) != RHN_OK) {
        error = refuse_jwk(why, "not a valid key in PEM");
    } else {
        json_object_del(jwk, "kid"); /* librhonabwy's own */
        error = add_jwk(keys, &alg, jwk, why);
    }
    r_jwk_free(jwk);
    return error;
}

/* ---- texts and files -------------------------------------------------- */

/* Whether TEXT is to be a JWK or a JWK set rather than a secret. */
static bool is_json_keys(const char *text, size_t length)
{
    json_t *json = json_read(text, length, 0, NULL);
    bool well = json_object_get(json, "kty") != NULL ||
                json_object_get(json, "keys") != NULL;

    json_decref(json);
    return well;
}

/* As jose_read_keys() for TEXT with a NUL behind it and none in it. */
static int add_text(struct jose_keys *keys, const enum jose_alg *alg,
                    const char *text, size_t length, char why[JOSE_WHY_SIZE])
{
    if (alg == NULL || is_json_keys(text, length))
        return add_json_keys(keys, alg, text, length, why);
    if (!jose_alg_is_secret(*alg))
        return add_pem(keys, *alg, text, why);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > 0 && text[length - 1] == '\r')
        length--;
    return jose_read_secret(keys, *alg, text, length, why);
}

int jose_read_keys(struct jose_keys *keys, const enum jose_alg *alg,
                   const char *text, size_t length, char why[JOSE_WHY_SIZE])
{
    char *copy;
    int error;

    if (length > JOSE_TEXT_MAX || memchr(text, '\0', length) != NULL)
        return refuse_jwk(why, "too long, or not a text");
    copy = strndup(text, length);
    if (copy == NULL)
        return -ENOMEM;
    error = add_text(keys, alg, copy, length, why);
    gnutls_memset(copy, 0, length);
    free(copy);
    return error;
}

int jose_read_file(struct jose_keys *keys, const enum jose_alg *alg, FILE *file,
                   char why[JOSE_WHY_SIZE])
{
    size_t length;
    char *text;
    int error = crier__file_read(file, JOSE_TEXT_MAX, &text, &length, why, JOSE_WHY_SIZE);

    if (error != 0)
        return -EINVAL;
    error = jose_read_keys(keys, alg, text, length, why);
    gnutls_memset(text, 0, length);
    free(text);
    return error;
}

/* ---- signed texts ----------------------------------------------------- */

/* Reads the LENGTH bytes at TEXT, base64 of JSON, into JWS's header. */
static int read_header(struct jose_jws *jws, const char *text, size_t length)
{
    static const char *const refused[] = {"crit", "b64", "zip"};
    unsigned char bytes[HEADER_MAX / 4 * 3 + 2];
    long count;
    size_t i;

    if (length > HEADER_MAX)
        return -EINVAL;
    count = jose_base64url_read(text, length, bytes);
    if (count < 0)
        return -EINVAL;
    jws->header = json_read((const char *)bytes, (size_t)count,
                            JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(jws->header))
        return -EINVAL;
    for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (json_object_get(jws->header, refused[i]) != NULL)
            return -EINVAL;
    return 0;
}

int jose_jws_read(struct jose_jws *jws, const char *text, size_t length)
{
    const char *dot = memchr(text, '.', length), *end = text + length, *last;
    long count;
    int error;

    *jws = (struct jose_jws){.text = text};
    last = dot != NULL ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;
    if (last == NULL || last + 1 == end)
        return -EINVAL;
    error = read_header(jws, text, (size_t)(dot - text));
    if (error != 0)
        return error;
    jws->bytes = malloc(length + 4);
    if (jws->bytes == NULL)
        return -ENOMEM;
    count = jose_base64url_read(dot + 1, (size_t)(last - dot - 1), jws->bytes);
    if (count < 0)
        return -EINVAL;
    jws->bytes[count] = '\0';
    jws->payload = (const char *)jws->bytes;
    jws->payload_length = (size_t)count;
    jws->signature = jws->bytes + count + 1;
    count = jose_base64url_read(last + 1, (size_t)(end - last - 1),
                                jws->bytes + count + 1);
    if (count < 0)
        return -EINVAL;
    jws->signature_length = (size_t)count;
    jws->text_length = (size_t)(last - text);
    return 0;
}

void jose_jws_done(struct jose_jws *jws)
{
    json_decref(jws->header);
    free(jws->bytes);
    *jws = (struct jose_jws){0};
}

static bool verify_secret(const struct jose_jws *jws, const struct jose_key *key)
{
    const struct algorithm *algorithm = &algorithms[key->alg];
    unsigned char wanted[64];

    return jws->signature_length == algorithm->size &&
           gnutls_hmac_fast((gnutls_mac_algorithm_t)algorithm->gnutls, key->secret,
                            key->length, jws->text, jws->text_length,
                            wanted) == 0 &&
           gnutls_memcmp(wanted, jws->signature, algorithm->size) == 0;
}

static bool verify_public(const struct jose_jws *jws, const struct jose_key *key,
                          const gnutls_datum_t *signature)
{
    const gnutls_datum_t text = {(unsigned char *)jws->text,
                                 (unsigned)jws->text_length};

    return gnutls_pubkey_verify_data2(
               key->public, (gnutls_sign_algorithm_t)algorithms[key->alg].gnutls,
               0, &text, signature) >= 0;
}

/* The signature is two numbers of one size, side by side (RFC 7518, section 3.4). */
static bool verify_ecdsa(const struct jose_jws *jws, const struct jose_key *key)
{
    const unsigned half = algorithms[key->alg].size;
    const gnutls_datum_t r = {(unsigned char *)jws->signature, half};
    const gnutls_datum_t s = {(unsigned char *)jws->signature + half, half};
    gnutls_datum_t signature;
    bool well;

    if (jws->signature_length != 2 * half ||
        gnutls_encode_rs_value(&signature, &r, &s) < 0)
        return false;
    well = verify_public(jws, key, &signature);
    gnutls_free(signature.data);
    return well;
}

bool jose_jws_verify(const struct jose_jws *jws, const struct jose_key *key)
{
    const gnutls_datum_t signature = {(unsigned char *)jws->signature,
                                      (unsigned)jws->signature_length};

    if (strcmp(read_member(jws->header, "alg"), jose_alg_name(key->alg)) != 0)
        return false;
    if (jose_alg_is_secret(key->alg))
        return verify_secret(jws, key);
    if (algorithms[key->alg].size != 0)
        return verify_ecdsa(jws, key);
    return verify_public(jws, key, &signature);
}

#define ENCODED_SIZE(length) ((length) / 3 * 4 + 5)

/* Writes the LENGTH bytes at BYTES in base64url to TEXT, which has room for
 * ENCODED_SIZE(LENGTH), and a NUL behind them. Returns how many characters. */
static size_t write_base64url(char *text, const unsigned char *bytes, size_t length)
{
    unsigned held = 0, bits = 0;
    size_t count = 0, i;

    for (i = 0; i < length; i++) {
        held = (held << 8 | bytes[i]) & 0xffff;
        for (bits += 8; bits >= 6; bits -= 6)
            text[count++] = digits[held >> (bits - 6) & 63];
    }
    if (bits != 0)
        text[count++] = digits[held << (6 - bits) & 63];
    text[count] = '\0';
    return count;
}

/* Copies NUMBER, without the zeros that it begins with, to the end of the HALF bytes at TO,
 * which are zero. */
static bool copy_number(unsigned char *to, unsigned half, const gnutls_datum_t *number)
{
    const unsigned char *from = number->data;
    unsigned size = number->size;

    for (; size > 0 && *from == 0; size--)
        from++;
    if (size > half)
        return false;
    memcpy(to + half - size, from, size);
    return true;
}

/* Turns the ECDSA signature FROM into two numbers of HALF bytes (RFC 7518, section 3.4). */
static bool split_ecdsa(const gnutls_datum_t *from, unsigned half, unsigned char *to)
{
    gnutls_datum_t r, s;
    bool well;

    if (gnutls_decode_rs_value(from, &r, &s) < 0)
        return false;
    memset(to, 0, 2 * half);
    well = copy_number(to, half, &r) && copy_number(to + half, half, &s);
    gnutls_free(r.data);
    gnutls_free(s.data);
    return well;
}

/* The longest signature: by an RSA key of RSA_BITS_MAX. */
#define SIGNATURE_MAX (RSA_BITS_MAX / 8)

/* Signs TEXT with the private key in KEY's JWK. Returns the signature's length; 0 when that
 * fails. */
static size_t sign_private(const struct jose_key *key, const gnutls_datum_t *text,
                           unsigned char signature[SIGNATURE_MAX])
{
    const struct algorithm *algorithm = &algorithms[key->alg];
    gnutls_privkey_t private = r_jwk_export_to_gnutls_privkey(key->jwk);
    gnutls_datum_t made = {NULL, 0};
    size_t length = 0;

    if (private == NULL)
        return 0;
    if (gnutls_privkey_sign_data2(private,
                                  (gnutls_sign_algorithm_t)algorithm->gnutls, 0,
                                  text, &made) >= 0) {
        if (algorithm->size != 0) {
            if (split_ecdsa(&made, algorithm->size, signature))
                length = 2 * algorithm->size;
        } else if (made.size <= SIGNATURE_MAX) {
            memcpy(signature, made.data, made.size);
            length = made.size;
        }
        gnutls_free(made.data);
    }
    gnutls_privkey_deinit(private);
    return length;
}

/* Signs the LENGTH bytes at TEXT with KEY, a secret or a private key. Returns as
 * sign_private(). */
static size_t sign_text(const struct jose_key *key, const char *text, size_t length,
                        unsigned char signature[SIGNATURE_MAX])
{
    const struct algorithm *algorithm = &algorithms[key->alg];
    const gnutls_datum_t data = {(unsigned char *)text, (unsigned)length};

    if (jose_alg_is_secret(key->alg))
        return gnutls_hmac_fast((gnutls_mac_algorithm_t)algorithm->gnutls,
                                key->secret, key->length, text, length,
                                signature) == 0
                   ? algorithm->size
                   : 0;
    return key->jwk != NULL ? sign_private(key, &data, signature) : 0;
}

/* A new header, as JSON. */
static char *write_header(const struct jose_key *key, const char *typ, const char *id)
{
    json_t *header = json_pack("{s:s, s:s, s:s*}", "alg", jose_alg_name(key->alg), "typ",
                               typ, "kid", id != NULL ? id : key->id);
    char *text = header != NULL ? json_dumps(header, JSON_COMPACT) : NULL;

    json_decref(header);
    return text;
}

char *jose_sign(const struct jose_key *key, const char *typ, const char *id,
                const char *payload, size_t length)
{
    unsigned char signature[SIGNATURE_MAX];
    char *header = write_header(key, typ, id), *text = NULL;
    size_t at, count = 0;

    if (header != NULL)
        text = malloc(ENCODED_SIZE(strlen(header)) + 1 + ENCODED_SIZE(length) + 1 +
                      ENCODED_SIZE(sizeof signature));
    if (text != NULL) {
        at = write_base64url(text, (const unsigned char *)header, strlen(header));
        text[at++] = '.';
        at += write_base64url(text + at, (const unsigned char *)payload, length);
        count = sign_text(key, text, at, signature);
        text[at++] = '.';
        write_base64url(text + at, signature, count);
    }
    free(header);
    if (count != 0)
        return text;
    free(text);
    return NULL;
}

bool jose_sha256(const void *data, size_t length,
                 unsigned char digest[JOSE_SHA256_SIZE])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, data, length, digest) == 0;
}
