/*
 * Authorisation without HTTP: keys, signatures, claims, static tokens, the memory of
 * verified tokens, and shared grants. What must not get through has a row in a table.
 */
#include <config.h>

#include "base/jose.h"
#include "base/keyed_hash.h"
#include "crierd/auth/auth.h"
#include "crierd/auth/grants_pool.h"
#include "crierd/auth/verified.h"
#include "crierd/config/conf.h"
#include "crierd/config/load.h"
#include "support/keys.h"
#include "support/oom.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HS256 "HS256:" KEY_SECRET

static struct conf *conf;
static struct auth *auth;

/* ---- helpers ---------------------------------------------------------- */

static void print_mistake(const char *text)
{
    fprintf(stderr, "%s\n", text);
}

/* Reads a configuration of up to 8 arguments and opens or reloads `auth` with it. */
static void configure(const char *const *arguments)
{
    char *argv[10] = {(char *)"crierd"};
    struct conf *old = conf;
    int argc = 1;

    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)*arguments;
    ck_assert_int_eq(load_conf(argc, argv, print_mistake, &conf), LOAD_RUN);
    if (auth == NULL)
        auth = auth_open(conf);
    else
        ck_assert(auth_reload(auth, conf));
    ck_assert_ptr_nonnull(auth);
    conf_unref(old);
}

#define CONFIGURE(...) configure((const char *const[]){__VA_ARGS__, NULL})

/* Writes TEXT to the file NAME of the scratch directory; returns its path, which is valid
 * until the next but seven. */
static const char *write_file(const char *name, const char *text)
{
    static char paths[8][SCRATCH_SIZE + 32];
    static unsigned next;
    char *path = paths[next++ % 8];
    FILE *to;

    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
    return path;
}

/* "ALG:@PATH" of a new file with TEXT. */
static const char *key_file(const char *alg, const char *name, const char *text)
{
    static char options[8][SCRATCH_SIZE + 48];
    static unsigned next;
    char *option = options[next++ % 8];

    snprintf(option, sizeof options[0], "%s:@%s", alg, write_file(name, text));
    return option;
}

static void set_up(void)
{
    scratch_make();
}

static void tear_down(void)
{
    auth_close(auth);
    auth = NULL;
    conf_unref(conf);
    conf = NULL;
    scratch_remove();
}

static char *encode(const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = bytes;
    char *text = calloc(1, length / 3 * 4 + 5), *to = text;
    unsigned held = 0, bits = 0;
    size_t i;

    for (i = 0; i < length; i++) {
        held = held << 8 | in[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *to++ = digits[held >> (bits - 6) & 63];
    }
    if (bits != 0)
        *to++ = digits[held << (6 - bits) & 63];
    return text;
}

/* A new token with HEADER and CLAIMS, JSON, signed by HMAC with the SECRET. */
static char *forge(const char *header, const char *claims, const char *secret)
{
    char *head = encode(header, strlen(header)), *body, *text, *signature, *token;
    unsigned char mac[32];

    body = encode(claims, strlen(claims));
    ck_assert_int_gt(asprintf(&text, "%s.%s", head, body), 0);
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, strlen(secret), text, strlen(text),
                     mac);
    signature = encode(mac, sizeof mac);
    ck_assert_int_gt(asprintf(&token, "%s.%s", text, signature), 0);
    free(head);
    free(body);
    free(text);
    free(signature);
    return token;
}

/* A new token with CLAIMS, signed with KEY, a JWK or secret, by ALG. */
static char *sign_as(const char *alg, const char *key, const char *typ,
                     const char *claims)
{
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE] = "";
    enum jose_alg found;
    char *token;

    ck_assert(jose_alg_find(alg, &found));
    ck_assert_msg(jose_read_keys(&keys, &found, key, strlen(key), why) == 0, "%s",
                  why);
    token = jose_sign(keys.list[0], typ, NULL, claims, strlen(claims));
    ck_assert_ptr_nonnull(token);
    jose_keys_done(&keys);
    return token;
}

static char *sign(const char *claims)
{
    return sign_as("HS256", KEY_SECRET, "JWT", claims);
}

/* Verifies TOKEN, which it frees. */
static enum auth_result verify_free(char *token, struct identity **identity)
{
    enum auth_result result = auth_verify(auth, token, strlen(token), identity);

    free(token);
    return result;
}

static enum auth_result result_of(char *token)
{
    struct identity *identity = NULL;
    enum auth_result result = verify_free(token, &identity);

    if (result == AUTH_OK)
        identity_unref(identity);
    else
        ck_assert_ptr_null(identity);
    return result;
}

static struct identity *identity_of(char *token)
{
    struct identity *identity = NULL;

    ck_assert_int_eq(verify_free(token, &identity), AUTH_OK);
    ck_assert_ptr_nonnull(identity);
    return identity;
}

/* ---- signatures ------------------------------------------------------- */

/* RFC 7515, appendices A.1 and A.3; RFC 8037, A.4; RFC 7520, section 4.2. */
static const struct {
    const char *alg, *key, *token;
} vectors[] = {
    {"HS256",
     "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
     "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4"
     "MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K"
     "27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"ES256",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uP"
     "HvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6"
     "Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4Gawx"
     "aepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"EdDSA",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrw"
     "IaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLW"
     "G1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    {"PS384",
     "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"n\":\"n4EPtAOCc9Al"
     "keQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJ"
     "mSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oB"
     "HqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQ"
     "bS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5"
     "iaiQkqgc5gHdrNP5zw\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTig"
     "JlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN"
     "0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXig"
     "JlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlT"
     "pzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB"
     "5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442"
     "ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0"
     "qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4"
     "ifKo8DYM-X72Eaw"},
};

#define VECTORS ((int)(sizeof vectors / sizeof vectors[0]))

static bool verifies(const struct jose_key *key, const char *token)
{
    struct jose_jws jws;
    bool well = jose_jws_read(&jws, token, strlen(token)) == 0 &&
                jose_jws_verify(&jws, key);

    jose_jws_done(&jws);
    return well;
}

/* Also that a change in each part is noticed. */
START_TEST(published_signatures)
{
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE] = "", *token = strdup(vectors[_i].token), *at;
    enum jose_alg alg;

    ck_assert(jose_alg_find(vectors[_i].alg, &alg));
    ck_assert_msg(jose_read_keys(&keys, &alg, vectors[_i].key,
                                 strlen(vectors[_i].key), why) == 0,
                  "%s", why);
    ck_assert_uint_eq(keys.count, 1);
    ck_assert(verifies(keys.list[0], token));
    for (at = token; (at = strchr(at, '.')) != NULL; at++) {
        at[2] = at[2] == 'A' ? 'B' : 'A';
        ck_assert(!verifies(keys.list[0], token));
        at[2] = vectors[_i].token[at + 2 - token];
    }
    ck_assert(verifies(keys.list[0], token));
    token[strlen(token) - 4] = '\0';
    ck_assert(!verifies(keys.list[0], token));
    free(token);
    jose_keys_done(&keys);
}
END_TEST

#define LONG_SECRET KEY_SECRET KEY_SECRET

static const struct {
    const char *alg, *key; /* what signs */
    const char *public;    /* what verifies, in a file; NULL: the key */
} algorithms[] = {
    {"HS256", KEY_SECRET, NULL},      {"HS384", LONG_SECRET, NULL},
    {"HS512", LONG_SECRET, NULL},     {"RS256", KEY_RSA, PEM_RSA_PUBLIC},
    {"RS384", KEY_RSA, NULL},         {"RS512", KEY_RSA, PEM_RSA_PRIVATE},
    {"PS256", KEY_RSA, PEM_RSA_PUBLIC}, {"PS384", KEY_RSA, NULL},
    {"PS512", KEY_RSA, NULL},         {"ES256", KEY_P256, NULL},
    {"ES384", KEY_P384, PEM_P384_PUBLIC}, {"ES384", KEY_P384, PEM_P384_PRIVATE},
    {"ES512", KEY_P521, NULL},        {"EdDSA", KEY_ED25519, PEM_ED25519_PUBLIC},
    {"EdDSA", KEY_ED25519, NULL},
};

#define ALGORITHM_ROWS ((int)(sizeof algorithms / sizeof algorithms[0]))

/* Each algorithm verifies what it signed, 20 times, since ECDSA is random and may begin
 * with zeros; and no other algorithm does. */
START_TEST(each_algorithm)
{
    const char *text = algorithms[_i].public;
    int i;

    CONFIGURE("--jwt-key",
              key_file(algorithms[_i].alg, "key",
                       text != NULL ? text : algorithms[_i].key));
    for (i = 0; i < 20; i++)
        identity_unref(identity_of(sign_as(algorithms[_i].alg, algorithms[_i].key,
                                           "JWT", "{\"mercure\":{}}")));
    for (i = 0; i < ALGORITHM_ROWS; i++)
        if (strcmp(algorithms[i].alg, algorithms[_i].alg) != 0)
            ck_assert_int_eq(result_of(sign_as(algorithms[i].alg, algorithms[i].key,
                                               "JWT", "{\"mercure\":{}}")),
                             AUTH_KEY);
}
END_TEST

/* Tokens that try to choose how they are verified. */
START_TEST(confused_algorithms)
{
    static const char claims[] = "{\"mercure\":{\"publish\":[\"*\"]}}";
    char *unsigned_token, *head, *body;

    CONFIGURE("--jwt-key", key_file("RS256", "rsa", PEM_RSA_PUBLIC), "--jwt-key",
              HS256);
    /* The public key as the secret of an HMAC. */
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\"}", claims, PEM_RSA_PUBLIC)),
                     AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"RS256\"}", claims, PEM_RSA_PUBLIC)),
                     AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS512\"}", claims, KEY_SECRET)),
                     AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"hs256\"}", claims, KEY_SECRET)),
                     AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"none\"}", claims, KEY_SECRET)),
                     AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":256}", claims, KEY_SECRET)), AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{}", claims, KEY_SECRET)), AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\","
                                     "\"k\":\"YQ\"}}",
                                     claims, "a")),
                     AUTH_KEY);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"zip\":\"DEF\"}", claims,
                                     KEY_SECRET)),
                     AUTH_MALFORMED);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", claims,
                                     KEY_SECRET)),
                     AUTH_MALFORMED);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"alg\":\"HS256\"}", claims,
                                     KEY_SECRET)),
                     AUTH_MALFORMED);
    ck_assert_int_eq(result_of(forge("[\"HS256\"]", claims, KEY_SECRET)),
                     AUTH_MALFORMED);
    head = encode("{\"alg\":\"none\"}", 14);
    body = encode(claims, strlen(claims));
    ck_assert_int_gt(asprintf(&unsigned_token, "%s.%s.", head, body), 0);
    ck_assert_int_eq(result_of(unsigned_token), AUTH_MALFORMED);
    free(head);
    free(body);
    /* The right ones. */
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\"}", claims, KEY_SECRET)),
                     AUTH_OK);
}
END_TEST

static const char *const malformed[] = {
    "a",     ".",   "..",   "...",      "e30.e30",  "e30.e30.", "e30.e30.e30.e30",
    " e30.e30.AA", "e30.e30.AA ", "e30=.e30.AA", "e30.e30.A", "e30.e30.AB",
    "e30.e3+.AA", "e30.e3/.AA", "W10.e30.AA", "bnVsbA.e30.AA", "e30.e31.AA",
};

START_TEST(malformed_tokens)
{
    char *large = malloc(9000);
    size_t i;

    CONFIGURE("--jwt-key", HS256);
    for (i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        ck_assert_msg(result_of(strdup(malformed[i])) == AUTH_MALFORMED, "%s",
                      malformed[i]);
    ck_assert_int_eq(result_of(strdup("")), AUTH_MALFORMED);
    memset(large, 'a', 8999);
    large[8999] = '\0';
    large[3000] = large[6000] = '.';
    ck_assert_int_eq(result_of(large), AUTH_MALFORMED);
}
END_TEST

/* ---- keys ------------------------------------------------------------- */

static const struct {
    const char *alg, *key, *why;
} refused[] = {
    {"HS256", "short", "at least 32 bytes"},
    {"HS512", KEY_SECRET, "at least 64 bytes"},
    {"HS256", PEM_RSA_PUBLIC, "not a secret"},
    {"HS256", KEY_RSA, "type is 'RSA'"},
    {"HS256", "{\"kty\":\"oct\",\"k\":\"YQ\"}", "at least 32 bytes"},
    {"HS256", "{\"kty\":\"oct\",\"k\":\"?\"}", "base64url"},
    {"RS256", "x", "PEM"},
    {"RS256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
     "not a valid key"},
    {"RS256", PEM_P384_PUBLIC, "type is 'EC'"},
    {"RS256", KEY_RSA1024, "from 2048 to 8192"},
    {"RS256", "{\"kty\":\"RSA\"}", "JWK"},
    {"RS256", "{\"kty\":\"RSA\",\"x5u\":\"https://127.0.0.1:1/\"}", "JWK"},
    {"RS256", "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"alg\":\"RS512\"}",
     "a key for RS512"},
    {"RS256", "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"use\":\"enc\"}",
     "not for signatures"},
    {"ES256", KEY_P384, "curve is 'P-384'"},
    {"ES384", KEY_P256, "curve is 'P-256'"},
    {"EdDSA", KEY_P256, "type is 'EC'"},
    {"ES256", "{\"keys\":[]}", "without keys"},
    {"ES256", "{\"keys\":{}}", "not an array"},
    {"ES256", "{\"keys\":[7,{\"kty\":\"EC\"}]}", "curve"},
};

#define REFUSED ((int)(sizeof refused / sizeof refused[0]))

START_TEST(refused_keys)
{
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE] = "";
    enum jose_alg alg;

    ck_assert(jose_alg_find(refused[_i].alg, &alg));
    ck_assert_int_eq(jose_read_keys(&keys, &alg, refused[_i].key,
                                    strlen(refused[_i].key), why),
                     -EINVAL);
    ck_assert_msg(strstr(why, refused[_i].why) != NULL, "%s", why);
    ck_assert_uint_eq(keys.count, 0);
    jose_keys_done(&keys);
}
END_TEST

START_TEST(a_set_of_keys)
{
    static const char set[] =
        "{\"keys\":[" KEY_P256 "," KEY_P384 "," KEY_RSA "," KEY_ED25519
        ",{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
        ",{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"alg\":\"RSA-OAEP\"},7]}";
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE] = "";
    enum jose_alg alg = JOSE_ES384;

    /* Of all algorithms: the public ones, each for its own. */
    ck_assert_int_eq(jose_read_keys(&keys, NULL, set, strlen(set), why), 0);
    ck_assert_uint_eq(keys.count, 4);
    ck_assert_int_eq(jose_key_alg(keys.list[0]), JOSE_ES256);
    ck_assert_int_eq(jose_key_alg(keys.list[1]), JOSE_ES384);
    ck_assert_int_eq(jose_key_alg(keys.list[2]), JOSE_RS256);
    ck_assert_int_eq(jose_key_alg(keys.list[3]), JOSE_EDDSA);
    jose_keys_done(&keys);
    ck_assert_int_eq(jose_read_keys(&keys, &alg, set, strlen(set), why), 0);
    ck_assert_uint_eq(keys.count, 1);
    jose_keys_done(&keys);
}
END_TEST

START_TEST(key_ids_are_hints)
{
    static const char first[] =
        "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":"
        "\"IUNoYW5nZVRoaXNNZXJjdXJlSHViSldUU2VjcmV0S2V5IQ\"}";

    CONFIGURE("--jwt-key", key_file("HS256", "a", first));
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"kid\":\"a\"}", "{}",
                                     KEY_SECRET)),
                     AUTH_OK);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\"}", "{}", KEY_SECRET)),
                     AUTH_OK);
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"kid\":\"b\"}", "{}",
                                     KEY_SECRET)),
                     AUTH_KEY);
    CONFIGURE("--jwt-key", HS256); /* a key without a name may be any */
    ck_assert_int_eq(result_of(forge("{\"alg\":\"HS256\",\"kid\":\"b\"}", "{}",
                                     KEY_SECRET)),
                     AUTH_OK);
}
END_TEST

/* ---- claims ----------------------------------------------------------- */

#define DETAIL(actions, topics) \
    "{\"type\":\"https://mercure.rocks/authorization-detail\",\"actions\":" actions \
    ",\"topics\":" topics "}"
#define ACCESS(details) \
    "{\"iss\":\"i\",\"aud\":\"https://hub.example/.well-known/mercure\"," \
    "\"exp\":99999999999,\"authorization_details\":" details "}"
#define ALL "[{\"match\":\"*\"}]"

static const struct {
    const char *typ, *claims;
    enum auth_result result;
} claims_table[] = {
    {"JWT", "{}", AUTH_OK},
    {"JWT", "[]", AUTH_CLAIMS},
    {"JWT", "7", AUTH_CLAIMS},
    {"JWT", "{", AUTH_CLAIMS},
    {"JWT", "{\"exp\":1,\"exp\":99999999999}", AUTH_CLAIMS},
    {"JWT", "{\"exp\":99999999999}", AUTH_OK},
    {"JWT", "{\"exp\":99999999999.5}", AUTH_OK},
    {"JWT", "{\"exp\":1}", AUTH_EXPIRED},
    {"JWT", "{\"exp\":0}", AUTH_EXPIRED},
    {"JWT", "{\"exp\":-1}", AUTH_EXPIRED},
    {"JWT", "{\"exp\":1e300}", AUTH_CLAIMS},
    {"JWT", "{\"exp\":99999999999999999999999}", AUTH_CLAIMS},
    {"JWT", "{\"exp\":\"99999999999\"}", AUTH_CLAIMS},
    {"JWT", "{\"exp\":null}", AUTH_CLAIMS},
    {"JWT", "{\"nbf\":1}", AUTH_OK},
    {"JWT", "{\"nbf\":99999999999}", AUTH_NOT_YET},
    {"JWT", "{\"nbf\":true}", AUTH_CLAIMS},
    {"JWT", "{\"aud\":\"https://hub.example\"}", AUTH_OK},
    {"JWT", "{\"aud\":\"https://hub.example/\"}", AUTH_OK},
    {"JWT", "{\"aud\":[\"x\",\"https://hub.example/.well-known/mercure\"]}", AUTH_OK},
    {"JWT", "{\"aud\":\"https://hub.example.evil\"}", AUTH_AUDIENCE},
    {"JWT", "{\"aud\":\"https://hub\"}", AUTH_AUDIENCE},
    {"JWT", "{\"aud\":[]}", AUTH_AUDIENCE},
    {"JWT", "{\"aud\":[\"https://hub.example\",7]}", AUTH_CLAIMS},
    {"JWT", "{\"aud\":{}}", AUTH_CLAIMS},
    {"JWT", "{\"iss\":\"anybody\"}", AUTH_OK},
    {"JWT", "{\"iss\":7}", AUTH_CLAIMS},
    {"JWT", "{\"sub\":\"me\"}", AUTH_OK},
    {"JWT", "{\"sub\":[]}", AUTH_CLAIMS},
    {"JWT", "{\"mercure\":[]}", AUTH_CLAIMS},
    {"JWT", "{\"mercure\":{\"publish\":\"*\"}}", AUTH_CLAIMS},
    {"JWT", "{\"mercure\":{\"publish\":[7]}}", AUTH_CLAIMS},
    {"JWT", "{\"mercure\":{\"publish\":[\"\"]}}", AUTH_CLAIMS},
    {"JWT", "{\"mercure\":{\"publish\":null,\"subscribe\":[]}}", AUTH_OK},
    {"JWT", "{\"https://mercure.rocks/\":{\"publish\":[\"a\"]}}", AUTH_OK},
    {"JWT", "{\"mercure\":{\"payload\":[1]}}", AUTH_OK},
    /* Mercure 1.0 */
    {"at+jwt", ACCESS("[]"), AUTH_OK},
    {"at+jwt", ACCESS("[" DETAIL("[\"publish\"]", ALL) "]"), AUTH_OK},
    {"application/AT+JWT", ACCESS("[" DETAIL("[\"publish\"]", ALL) "]"), AUTH_OK},
    {"JWT", ACCESS("[" DETAIL("[\"publish\"]", ALL) "]"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("{}"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("[7]"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("[{\"type\":\"other\"}]"), AUTH_OK},
    {"at+jwt", ACCESS("[" DETAIL("[]", ALL) "]"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("[" DETAIL("[7]", ALL) "]"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("[" DETAIL("\"publish\"", ALL) "]"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("[" DETAIL("[\"new\"]", ALL) "]"), AUTH_OK},
    {"at+jwt", ACCESS("[" DETAIL("[\"new\"]", "[]") "]"), AUTH_CLAIMS},
    {"at+jwt", ACCESS("[" DETAIL("[\"publish\"]", "[\"a\"]") "]"), AUTH_CLAIMS},
    {"at+jwt",
     ACCESS("[" DETAIL("[\"publish\"]",
                       "[{\"match\":\"a\",\"match_type\":\"regexp\"}]") "]"),
     AUTH_CLAIMS},
    {"at+jwt",
     ACCESS("[" DETAIL("[\"publish\"]",
                       "[{\"match\":\"a\",\"match_type\":null}]") "]"),
     AUTH_CLAIMS},
    {"at+jwt", "{\"iss\":\"i\",\"aud\":\"https://hub.example\",\"exp\":99999999999}",
     AUTH_OK},
    {"at+jwt",
     "{\"aud\":\"https://hub.example\",\"exp\":99999999999,"
     "\"authorization_details\":[]}",
     AUTH_CLAIMS},
    {"at+jwt",
     "{\"iss\":\"i\",\"aud\":\"https://hub.example\",\"authorization_details\":[]}",
     AUTH_CLAIMS},
    {"at+jwt",
     "{\"iss\":\"i\",\"exp\":99999999999,\"authorization_details\":[]}",
     AUTH_AUDIENCE},
};

#define CLAIMS ((int)(sizeof claims_table / sizeof claims_table[0]))

START_TEST(claims_of_tokens)
{
    enum auth_result result;
    char header[64];

    CONFIGURE("--jwt-key", HS256, "--public-url", "https://hub.example");
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"typ\":\"%s\"}",
             claims_table[_i].typ);
    result = result_of(forge(header, claims_table[_i].claims, KEY_SECRET));
    ck_assert_msg(result == claims_table[_i].result, "%s: %d",
                  claims_table[_i].claims, (int)result);
}
END_TEST

START_TEST(an_audience_needs_a_name)
{
    CONFIGURE("--jwt-key", HS256);
    ck_assert_int_eq(result_of(sign("{\"aud\":\"https://hub.example\"}")),
                     AUTH_AUDIENCE);
    ck_assert_int_eq(result_of(sign("{\"aud\":[]}")), AUTH_AUDIENCE);
}
END_TEST

START_TEST(bounds_of_claims)
{
    char text[8192], *at = text;
    int i;

    CONFIGURE("--jwt-key", HS256);
    at += sprintf(at, "{\"a\":");
    for (i = 0; i < 1000; i++)
        *at++ = '[';
    for (i = 0; i < 1000; i++)
        *at++ = ']';
    strcpy(at, "}");
    ck_assert_int_eq(result_of(sign(text)), AUTH_CLAIMS);
    at = text + sprintf(text, "{\"mercure\":{\"publish\":[\"a\"");
    for (i = 0; i < 255; i++)
        at += sprintf(at, ",\"a%d\"", i);
    strcpy(at, "]}}");
    ck_assert_int_eq(result_of(sign(text)), AUTH_OK);
    strcpy(at, ",\"b\"]}}");
    ck_assert_int_eq(result_of(sign(text)), AUTH_CLAIMS);
    at = text + sprintf(text, "{\"mercure\":{\"publish\":[\"");
    memset(at, 'a', 1100);
    strcpy(at + 1100, "\"]}}");
    ck_assert_int_eq(result_of(sign(text)), AUTH_CLAIMS);
    at = text + sprintf(text, "{\"sub\":\"");
    memset(at, 'a', 1025);
    strcpy(at + 1025, "\"}");
    ck_assert_int_eq(result_of(sign(text)), AUTH_CLAIMS);
    strcpy(at + 1024, "\"}");
    ck_assert_int_eq(result_of(sign(text)), AUTH_OK);
}
END_TEST

START_TEST(what_a_token_grants)
{
    struct identity *identity;
    json_t *payload;

    CONFIGURE("--jwt-key", HS256);
    identity = identity_of(
        sign("{\"sub\":\"me\",\"exp\":99999999999,\"mercure\":{\"publish\":[\"a/*\"],"
             "\"subscribe\":[\"b\",\"/u/{id}\"],\"payload\":{\"x\":1}}}"));
    ck_assert_str_eq(identity->subject, "me");
    ck_assert_int_eq(identity->expires, INT64_C(99999999999));
    ck_assert(!identity->admin);
    ck_assert(crier_grants_match(identity->publish, "a/1"));
    ck_assert(!crier_grants_match(identity->publish, "b"));
    ck_assert(crier_grants_match(identity->subscribe, "b"));
    ck_assert(crier_grants_match(identity->subscribe, "/u/7"));
    ck_assert(!crier_grants_match(identity->subscribe, "a/1"));
    payload = identity_payload_of(identity, "anything");
    ck_assert_int_eq(json_integer_value(json_object_get(payload, "x")), 1);
    identity_unref(identity);

    identity = identity_of(sign("{\"crier\":{\"admin\":true}}"));
    ck_assert(identity->admin);
    ck_assert_ptr_null(identity->publish);
    ck_assert_ptr_null(identity->subscribe);
    ck_assert_ptr_null(identity->subject);
    ck_assert_ptr_null(identity_payload_of(identity, "a"));
    identity_unref(identity);
    identity = identity_of(sign("{\"crier\":{\"admin\":\"true\"}}"));
    ck_assert(!identity->admin);
    identity_unref(identity);
}
END_TEST

START_TEST(what_details_grant)
{
    struct identity *identity;

    CONFIGURE("--jwt-key", HS256, "--public-url", "https://hub.example");
    identity = identity_of(sign_as(
        "HS256", KEY_SECRET, "at+jwt",
        ACCESS("[" DETAIL("[\"publish\",\"new\"]", "[{\"match\":\"a\"}]") ","
               "{\"type\":\"https://mercure.rocks/authorization-detail\","
               "\"actions\":[\"subscribe\"],\"topics\":[{\"match\":\"b\"}],"
               "\"payload\":{\"n\":1}},"
               "{\"type\":\"https://mercure.rocks/authorization-detail\","
               "\"actions\":[\"subscribe\"],\"topics\":" ALL ","
               "\"payload\":{\"n\":2}}]")));
    ck_assert(crier_grants_match(identity->publish, "a"));
    ck_assert(!crier_grants_match(identity->publish, "ab"));
    ck_assert(crier_grants_match(identity->subscribe, "anything"));
    ck_assert_int_eq(json_integer_value(json_object_get(
                         identity_payload_of(identity, "b"), "n")),
                     1);
    ck_assert_int_eq(json_integer_value(json_object_get(
                         identity_payload_of(identity, "c"), "n")),
                     2);
    identity_unref(identity);
}
END_TEST

/* ---- keys of sections ------------------------------------------------- */

static const char two_issuers[] =
    "[key publisher]\nalgorithm = HS256\nsecret = " KEY_SECRET "\nissuer = a\n"
    "use = publish\n"
    "[key subscriber]\nalgorithm = HS256\nsecret = " LONG_SECRET "\nissuer = b\n"
    "use = subscribe\n"
    "[key other]\nalgorithm = HS384\nsecret = " LONG_SECRET "\n";

#define BOTH "\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\"]}"

START_TEST(issuers_and_uses)
{
    struct identity *identity;

    CONFIGURE("--config", write_file("conf", two_issuers));
    identity = identity_of(sign("{\"iss\":\"a\"," BOTH "}"));
    ck_assert_ptr_nonnull(identity->publish);
    ck_assert_ptr_null(identity->subscribe);
    identity_unref(identity);
    identity = identity_of(
        sign_as("HS256", LONG_SECRET, "JWT",
                "{\"iss\":\"b\",\"crier\":{\"admin\":true}," BOTH "}"));
    ck_assert_ptr_null(identity->publish);
    ck_assert_ptr_nonnull(identity->subscribe);
    ck_assert(!identity->admin);
    identity_unref(identity);
    /* One issuer's key does not sign for the other, nor for nobody. */
    ck_assert_int_eq(result_of(sign("{\"iss\":\"b\"," BOTH "}")), AUTH_ISSUER);
    ck_assert_int_eq(result_of(sign("{\"iss\":\"c\"," BOTH "}")), AUTH_ISSUER);
    ck_assert_int_eq(result_of(sign("{" BOTH "}")), AUTH_ISSUER);
    /* A key without an issuer does not sign for one that has keys. */
    ck_assert_int_eq(
        result_of(sign_as("HS384", LONG_SECRET, "JWT", "{\"iss\":\"a\"," BOTH "}")),
        AUTH_ISSUER);
    ck_assert_int_eq(
        result_of(sign_as("HS384", LONG_SECRET, "JWT", "{\"iss\":\"c\"," BOTH "}")),
        AUTH_OK);
    ck_assert_int_eq(result_of(sign_as("HS384", LONG_SECRET, "JWT", "{" BOTH "}")),
                     AUTH_OK);
}
END_TEST



static void write_tokens(char *text, size_t size, const char *expires)
{
    unsigned char hash[JOSE_SHA256_SIZE];
    char hex[2 * JOSE_SHA256_SIZE + 1];
    size_t i;

    ck_assert(jose_sha256("sesame", 6, hash));
    for (i = 0; i < sizeof hash; i++)
        sprintf(hex + 2 * i, "%02X", hash[i]);
    snprintf(text, size,
             "[token door]\nhash = sha256:%s\npublish = a/*,t/{x,y}\npublish = b\n"
             "admin = on\n%s",
             hex, expires);
}

START_TEST(static_tokens)
{
    struct identity *identity, *again;
    char text[512];

    write_tokens(text, sizeof text, "");
    CONFIGURE("--config", write_file("conf", text));
    ck_assert_int_eq(conf->anonymous, CONF_ANONYMOUS_NONE);
    identity = identity_of(strdup("sesame"));
    ck_assert_str_eq(identity->subject, "door");
    ck_assert(identity->admin);
    ck_assert_int_eq(identity->expires, 0);
    ck_assert(crier_grants_match(identity->publish, "a/7"));
    ck_assert(crier_grants_match(identity->publish, "b"));
    ck_assert(!crier_grants_match(identity->publish, "c"));
    ck_assert_ptr_null(identity->subscribe);
    again = identity_of(strdup("sesame"));
    ck_assert_ptr_eq(identity, again);
    identity_unref(again);
    identity_unref(identity);
    ck_assert_int_eq(result_of(strdup("Sesame")), AUTH_MALFORMED);
    ck_assert_int_eq(result_of(strdup("sesame ")), AUTH_MALFORMED);

    write_tokens(text, sizeof text, "expires = 2020-02-29\n");
    CONFIGURE("--config", write_file("conf", text));
    ck_assert_int_eq(result_of(strdup("sesame")), AUTH_EXPIRED);
    write_tokens(text, sizeof text, "expires = 2100-02-28T23:59:59Z\n");
    CONFIGURE("--config", write_file("conf", text));
    identity = identity_of(strdup("sesame"));
    ck_assert_int_eq(identity->expires, INT64_C(4107542399));
    identity_unref(identity);
    CONFIGURE("--jwt-key", HS256);
    ck_assert_int_eq(result_of(strdup("sesame")), AUTH_MALFORMED);
}
END_TEST

/* ---- the memory of verified tokens ------------------------------------ */

START_TEST(a_verified_token_is_remembered)
{
    struct identity *first, *second;

    CONFIGURE("--jwt-key", HS256);
    first = identity_of(sign("{" BOTH "}"));
    second = identity_of(sign("{" BOTH "}"));
    ck_assert_ptr_eq(first, second);
    identity_unref(second);
    /* Until the keys change. */
    CONFIGURE("--jwt-key", HS256);
    second = identity_of(sign("{" BOTH "}"));
    ck_assert_ptr_ne(first, second);
    identity_unref(second);
    CONFIGURE("--jwt-key", "HS256:" LONG_SECRET);
    ck_assert_int_eq(result_of(sign("{" BOTH "}")), AUTH_KEY);
    ck_assert(crier_grants_match(first->publish, "a")); /* a stream still has it */
    identity_unref(first);
}
END_TEST

/* It is forgotten at its expiry: the second time it is refused. */
START_TEST(a_remembered_token_expires)
{
    struct identity *identity = NULL;
    enum auth_result result = AUTH_EXPIRED;
    char claims[64], *token = NULL;
    long long life;

    CONFIGURE("--jwt-key", HS256);
    for (life = 2; result == AUTH_EXPIRED; life *= 2) { /* on a busy machine it is too short */
        free(token);
        snprintf(claims, sizeof claims, "{\"exp\":%lld}", (long long)time(NULL) + life);
        token = sign(claims);
        result = result_of(strdup(token));
    }
    ck_assert_int_eq(result, AUTH_OK);
    do {
        result = auth_verify(auth, token, strlen(token), &identity);
        if (result == AUTH_OK)
            identity_unref(identity);
    } while (result == AUTH_OK);
    ck_assert_int_eq(result, AUTH_EXPIRED);
    free(token);
}
END_TEST

/* Adds COUNT tokens of LENGTH bytes that expire at EXPIRES. */
static void add_tokens(struct verified *verified, unsigned count, size_t length,
                       int64_t expires, int64_t now)
{
    struct identity *identity = identity_new(), *found;
    char *token = calloc(1, length + 1);
    unsigned generation, i;

    identity->expires = expires;
    for (i = 0; i < count; i++) {
        memset(token, 'x', length);
        memcpy(token, &i, sizeof i);
        found = verified_find(verified, token, length, now, &generation);
        identity_unref(found);
        if (found == NULL)
            verified_add(verified, token, length, identity, now, generation);
    }
    free(token);
    identity_unref(identity);
}

static bool has_token(struct verified *verified, unsigned number, size_t length,
                      int64_t now)
{
    char *token = malloc(length);
    struct identity *identity;
    unsigned generation;

    memset(token, 'x', length);
    memcpy(token, &number, sizeof number);
    identity = verified_find(verified, token, length, now, &generation);
    identity_unref(identity);
    free(token);
    return identity != NULL;
}

START_TEST(the_memory_is_bounded)
{
    struct verified *verified = verified_new();
    unsigned generation = 0;
    struct identity *identity = identity_new();

    add_tokens(verified, VERIFIED_MAX + 10, 16, 0, 100);
    ck_assert_uint_eq(verified_count(verified), VERIFIED_MAX);
    ck_assert(!has_token(verified, 0, 16, 100)); /* the oldest */
    ck_assert(has_token(verified, 10, 16, 100));
    add_tokens(verified, 6000, 8000, 0, 100);
    ck_assert_uint_le(verified_count(verified), VERIFIED_BYTES / 8000);
    ck_assert_uint_ge(verified_count(verified), 4000);
    /* What is verified while it is emptied does not enter. */
    ck_assert_ptr_null(verified_find(verified, "a", 1, 100, &generation));
    verified_clear(verified);
    ck_assert_uint_eq(verified_count(verified), 0);
    verified_add(verified, "a", 1, identity, 100, generation);
    ck_assert_uint_eq(verified_count(verified), 0);
    identity_unref(identity);
    verified_free(verified);
}
END_TEST

/* A payload takes far more memory than its text in the token. */
START_TEST(payloads_count)
{
    struct verified *verified = verified_new();
    json_t *payload = json_array();
    struct identity *identity;
    unsigned i, generation;

    for (i = 0; i < 3000; i++)
        ck_assert_int_eq(json_array_append_new(payload, json_integer(0)), 0);
    for (i = 0; i < 1000; i++) {
        identity = identity_new();
        ck_assert(identity_add_payload(identity, NULL, payload));
        ck_assert_ptr_null(verified_find(verified, (char *)&i, sizeof i, 100,
                                         &generation));
        verified_add(verified, (char *)&i, sizeof i, identity, 100, generation);
        identity_unref(identity);
    }
    json_decref(payload);
    ck_assert_uint_ge(verified_count(verified), 100);
    ck_assert_uint_le(verified_count(verified), VERIFIED_BYTES / (3000 * 32));
    verified_free(verified);
}
END_TEST

START_TEST(expired_tokens_leave)
{
    struct verified *verified = verified_new();

    add_tokens(verified, 100, 16, 200, 100);
    ck_assert(has_token(verified, 7, 16, 199));
    ck_assert(!has_token(verified, 7, 16, 200));
    ck_assert_uint_eq(verified_count(verified), 99);
    add_tokens(verified, 50, 20, 0, 300); /* each addition looks at some */
    ck_assert_uint_eq(verified_count(verified), 50);
    verified_free(verified);
}
END_TEST

/* Tokens that say the same share their grants. */
START_TEST(equal_grants_are_one)
{
    struct identity *a, *b, *c;

    CONFIGURE("--jwt-key", HS256);
    a = identity_of(sign("{\"sub\":\"a\",\"mercure\":{\"subscribe\":[\"x\",\"y\"]}}"));
    b = identity_of(sign("{\"sub\":\"b\",\"mercure\":{\"subscribe\":[\"x\",\"y\"]}}"));
    c = identity_of(sign("{\"sub\":\"c\",\"mercure\":{\"subscribe\":[\"x\\u0079\"]}}"));
    ck_assert_ptr_ne(a, b);
    ck_assert_ptr_eq(a->subscribe, b->subscribe);
    ck_assert_ptr_ne(a->subscribe, c->subscribe);
    identity_unref(a);
    identity_unref(b);
    identity_unref(c);
}
END_TEST

START_TEST(the_pool_is_bounded)
{
    struct grants_pool *pool = grants_pool_new();
    struct crier_grants *first, *grants;
    struct crier_selector selector = {.match = CRIER_MATCH_EXACT, .text = "first"};
    char text[16];
    int i;

    ck_assert_int_eq(grants_pool_get(pool, &selector, 1, &first), 0);
    ck_assert_int_eq(grants_pool_get(pool, &selector, 1, &grants), 0);
    ck_assert_ptr_eq(first, grants);
    crier_grants_unref(grants);
    selector.text = text;
    for (i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "%d", i);
        ck_assert_int_eq(grants_pool_get(pool, &selector, 1, &grants), 0);
        crier_grants_unref(grants);
    }
    ck_assert(crier_grants_match(first, "first"));
    crier_grants_unref(first);
    grants_pool_free(pool);
}
END_TEST

START_TEST(hashes_have_seeds)
{
    const struct keyed_hash_seed one = {{1, 2}}, other = {{1, 3}};
    unsigned char text[64] = {0};
    uint64_t hashes[65];
    size_t i, j;

    for (i = 0; i <= 64; i++) {
        hashes[i] = keyed_hash(&one, text, i);
        ck_assert(hashes[i] != keyed_hash(&other, text, i));
        ck_assert(hashes[i] == keyed_hash(&one, text, i));
        for (j = 0; j < i; j++)
            ck_assert(hashes[i] != hashes[j]);
    }
    for (i = 0; i < 64; i++) {
        text[i] = 1;
        ck_assert(keyed_hash(&one, text, 64) != hashes[64]);
        text[i] = 0;
    }
}
END_TEST

/* Memory that is short is 503, and never a token that is accepted or refused wrongly. */
START_TEST(short_memory)
{
    char *token = sign("{\"sub\":\"a\",\"mercure\":{\"publish\":[\"x\"],"
                       "\"subscribe\":[\"/{y}\"],\"payload\":1}}");
    struct identity *identity;
    enum auth_result result = AUTH_BUSY;
    long n;

    CONFIGURE("--jwt-key", HS256);
    for (n = 1; n < 200; n++) {
        CONFIGURE("--jwt-key", HS256);
        identity = NULL;
        oom_after(n);
        result = auth_verify(auth, token, strlen(token), &identity);
        oom_never();
        ck_assert(result == AUTH_OK || result == AUTH_BUSY);
        if (result == AUTH_OK)
            identity_unref(identity);
    }
    ck_assert_int_eq(result, AUTH_OK);
    free(token);
}
END_TEST

/* ---- threads ---------------------------------------------------------- */

static atomic_bool stopped;

/* Verifies a token of the key that stays and one of a key that comes and goes. */
static void *verify_on(void *closure)
{
    char *stays = sign("{" BOTH "}");
    char *comes = sign_as("HS512", LONG_SECRET, "JWT", "{" BOTH "}");
    struct identity *identity;
    enum auth_result result;

    (void)closure;
    while (!atomic_load(&stopped)) {
        ck_assert_int_eq(auth_verify(auth, stays, strlen(stays), &identity), AUTH_OK);
        ck_assert(crier_grants_match(identity->publish, "a"));
        identity_unref(identity);
        result = auth_verify(auth, comes, strlen(comes), &identity);
        ck_assert(result == AUTH_OK || result == AUTH_KEY || result == AUTH_BUSY);
        if (result == AUTH_OK)
            identity_unref(identity);
    }
    free(stays);
    free(comes);
    return NULL;
}

START_TEST(keys_change_meanwhile)
{
    pthread_t threads[3];
    size_t i;

    CONFIGURE("--jwt-key", HS256);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_on, NULL), 0);
    for (i = 0; i < 200; i++) {
        CONFIGURE("--jwt-key", HS256, "--jwt-key", "HS512:" LONG_SECRET);
        CONFIGURE("--jwt-key", HS256);
        /* What was verified by a key that is gone is not remembered. */
        ck_assert_int_ne(
            result_of(sign_as("HS512", LONG_SECRET, "JWT", "{" BOTH "}")), AUTH_OK);
    }
    atomic_store(&stopped, true);
    for (i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = add_case(suite, "auth");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, published_signatures, 0, VECTORS);
    tcase_add_loop_test(tcase, each_algorithm, 0, ALGORITHM_ROWS);
    tcase_add_test(tcase, confused_algorithms);
    tcase_add_test(tcase, malformed_tokens);
    tcase_add_loop_test(tcase, refused_keys, 0, REFUSED);
    tcase_add_test(tcase, a_set_of_keys);
    tcase_add_test(tcase, key_ids_are_hints);
    tcase_add_loop_test(tcase, claims_of_tokens, 0, CLAIMS);
    tcase_add_test(tcase, an_audience_needs_a_name);
    tcase_add_test(tcase, bounds_of_claims);
    tcase_add_test(tcase, what_a_token_grants);
    tcase_add_test(tcase, what_details_grant);
    tcase_add_test(tcase, issuers_and_uses);
    tcase_add_test(tcase, static_tokens);
    tcase_add_test(tcase, a_verified_token_is_remembered);
    tcase_add_test(tcase, a_remembered_token_expires);
    tcase_add_test(tcase, the_memory_is_bounded);
    tcase_add_test(tcase, payloads_count);
    tcase_add_test(tcase, expired_tokens_leave);
    tcase_add_test(tcase, equal_grants_are_one);
    tcase_add_test(tcase, the_pool_is_bounded);
    tcase_add_test(tcase, hashes_have_seeds);
    tcase_add_test(tcase, short_memory);
    tcase_add_test(tcase, keys_change_meanwhile);
    return suite;
}

RUN_SUITE(make_suite)
