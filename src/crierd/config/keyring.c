/*
 * Keys and static tokens of the configuration. Keys are read here, once, so that
 * --check-config finds what is wrong with them, and a reload reads their files again.
 *
 * No message and no dump holds a secret or a part of one.
 */
#include <config.h>

#include "keyring.h"

#include "address.h"
#include "date.h"
#include "url.h"
#include "base/file.h"
#include "base/number.h"
#include "crier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHMS "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, " \
                   "ES256, ES384, ES512 or EdDSA"

/* The longest selector, in bytes, as crier.h has it. */
#define SELECTOR_MAX 1024

/* ---- keys ------------------------------------------------------------- */

static void end_key(struct conf_key *key)
{
    free(key->name);
    free(key->file);
    free(key->issuer);
    jose_keys_done(&key->keys);
    *key = (struct conf_key){0};
}

void keyring_clear_keys(struct conf_keys *keys)
{
    while (keys->count > 0)
        end_key(&keys->list[--keys->count]);
    free(keys->list);
    keys->list = NULL;
}

/* Moves KEY, which is all zero then, to KEYS; or frees what it holds. */
static int move_key(struct conf_keys *keys, struct conf_key *key)
{
    struct conf_key *more = NULL;
    int error = keys->count < CONF_KEYS_MAX ? -ENOMEM : -E2BIG;

    if (error == -ENOMEM)
        more = realloc(keys->list, (keys->count + 1) * sizeof *more);
    if (more == NULL) {
        end_key(key);
        return error;
    }
    keys->list = more;
    more[keys->count++] = *key;
    *key = (struct conf_key){0};
    return 0;
}

/* Reads keys from the file PATH as jose_read_file() does. */
static int read_key_file(struct jose_keys *keys, const enum jose_alg *alg,
                         const char *path, char why[JOSE_WHY_SIZE])
{
    FILE *file;

    if (crier__file_open(path, &file, why, JOSE_WHY_SIZE) != 0)
        return -EINVAL;
    return jose_read_file(keys, alg, file, why);
}

/* Reads KEY from its file, or from SECRET. */
static int load_key(struct conf_key *key, const char *secret, char *why, size_t size)
{
    char reason[JOSE_WHY_SIZE] = "";
    int error;

    if (key->file != NULL)
        error = read_key_file(&key->keys, &key->algorithm, key->file, reason);
    else
        error = jose_read_secret(&key->keys, key->algorithm, secret,
                                 strlen(secret), reason);
    if (error == -EINVAL)
        snprintf(why, size, "%s%s%s", key->file != NULL ? key->file : "",
                 key->file != NULL ? ": " : "", reason);
    if (error == -E2BIG) {
        snprintf(why, size, "%s: more than %d keys", key->file, JOSE_KEYS_MAX);
        error = -EINVAL;
    }
    return error;
}

/* Writes the algorithm called by the LENGTH bytes at NAME to *ALG. */
static bool find_algorithm(const char *name, size_t length, enum jose_alg *alg)
{
    char copy[8];

    if (length >= sizeof copy)
        return false;
    memcpy(copy, name, length);
    copy[length] = '\0';
    return jose_alg_find(copy, alg);
}

int keyring_read_key(struct conf_keys *keys, const char *text, char *why,
                         size_t size)
{
    const char *colon = strchr(text, ':');
    struct conf_key key = {.use = CONF_USE_BOTH};
    int error = 0;

    if (colon == NULL ||
        !find_algorithm(text, (size_t)(colon - text), &key.algorithm)) {
        snprintf(why, size, "this is not ALG:SECRET or ALG:@FILE, where ALG is "
                            ALGORITHMS);
        return -EINVAL;
    }
    if (colon[1] == '@' && (key.file = strdup(colon + 2)) == NULL)
        error = -ENOMEM;
    if (error == 0)
        error = load_key(&key, colon + 1, why, size);
    if (error == 0)
        return move_key(keys, &key);
    end_key(&key);
    return error;
}

/* Whether URL, which is http://, is of this machine. */
static bool is_local(const char *url)
{
    const char *host = url + strlen("http://");
    char copy[ADDRESS_HOST_SIZE + ADDRESS_PORT_SIZE], name[ADDRESS_HOST_SIZE];
    char port[ADDRESS_PORT_SIZE];
    int length = (int)strcspn(host, "/");

    snprintf(copy, sizeof copy, "%.*s", length, host);
    if (!address_split(copy, name, port) &&
        (snprintf(copy, sizeof copy, "%.*s:80", length, host) < 0 ||
         !address_split(copy, name, port)))
        return false;
    return address_is_loopback(name);
}

bool keyring_check_jwks(const char *source, char *why, size_t size)
{
    struct jose_keys keys = {0};
    char reason[JOSE_WHY_SIZE] = "more than 64 keys, or out of memory";
    int error;

    if (strstr(source, "://") != NULL) {
        if (url_is_base(source) &&
            (strncmp(source, "https://", 8) == 0 || is_local(source)))
            return true;
        snprintf(why, size, "this is not an https:// URL, or http:// of this machine, "
                            "without a query");
        return false;
    }
    error = read_key_file(&keys, NULL, source, reason);
    jose_keys_done(&keys);
    if (error != 0)
        snprintf(why, size, "%s: %s", source, reason);
    return error == 0;
}

/* ---- a section [key NAME] --------------------------------------------- */

const char *keyring_set_key(struct key_draft *draft, const char *entry,
                                const char *value)
{
    const struct {
        const char *name;
        char **text;
    } entries[] = {{"algorithm", &draft->algorithm},
                   {"secret", &draft->secret},
                   {"file", &draft->file},
                   {"issuer", &draft->issuer},
                   {"use", &draft->use}};
    enum jose_alg alg;
    size_t i;

    for (i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (strcmp(entry, entries[i].name) == 0)
            break;
    if (i == sizeof entries / sizeof entries[0])
        return "";
    if (i == 0 && !jose_alg_find(value, &alg))
        return ALGORITHMS;
    if (strcmp(entry, "use") == 0 && strcmp(value, "publish") != 0 &&
        strcmp(value, "subscribe") != 0 && strcmp(value, "both") != 0)
        return "publish, subscribe or both";
    if (value[0] == '\0')
        return "a text that is not empty";
    if (*entries[i].text != NULL)
        return "given once";
    *entries[i].text = strdup(value);
    return *entries[i].text != NULL ? NULL : "in memory, which is short";
}

void keyring_end_key(struct key_draft *draft)
{
    free(draft->name);
    free(draft->algorithm);
    free(draft->secret);
    free(draft->file);
    free(draft->issuer);
    free(draft->use);
    *draft = (struct key_draft){0};
}

static enum conf_use read_use(const char *text)
{
    if (text == NULL || strcmp(text, "both") == 0)
        return CONF_USE_BOTH;
    return strcmp(text, "publish") == 0 ? CONF_USE_PUBLISH : CONF_USE_SUBSCRIBE;
}

static const char *find_key_fault(const struct conf_keys *keys,
                                  const struct key_draft *draft)
{
    size_t i;

    for (i = 0; i < keys->count; i++)
        if (strcmp(keys->list[i].name, draft->name) == 0)
            return "is given twice";
    if (draft->algorithm == NULL)
        return "without an algorithm";
    if ((draft->secret == NULL) == (draft->file == NULL))
        return "with one of secret and file, not both or none";
    return NULL;
}

/* Copies TEXT, which may be NULL, to *COPY. False when memory is short. */
static bool copy_text(char **copy, const char *text)
{
    *copy = text != NULL ? strdup(text) : NULL;
    return text == NULL || *copy != NULL;
}

int keyring_add_key(struct conf_keys *keys, const struct key_draft *draft,
                        char *why, size_t size)
{
    const char *fault = find_key_fault(keys, draft);
    struct conf_key key = {.use = read_use(draft->use)};
    int error;

    if (fault != NULL) {
        snprintf(why, size, "%s", fault);
        return -EINVAL;
    }
    jose_alg_find(draft->algorithm, &key.algorithm);
    if (!copy_text(&key.name, draft->name) || !copy_text(&key.file, draft->file) ||
        !copy_text(&key.issuer, draft->issuer))
        error = -ENOMEM;
    else
        error = load_key(&key, draft->secret, why, size);
    if (error == 0)
        return move_key(keys, &key);
    end_key(&key);
    return error;
}

/* ---- a section [token NAME] ------------------------------------------- */

/* How long the first selector of TEXT is: up to a comma that is not within braces, where a
 * URI template has its own. */
static size_t measure_selector(const char *text)
{
    bool braces = false;
    size_t i;

    for (i = 0; text[i] != '\0' && (braces || text[i] != ','); i++) {
        if (text[i] == '{')
            braces = true;
        else if (text[i] == '}')
            braces = false;
    }
    return i;
}

/* Whether the LENGTH bytes at TEXT are a selector that grants can have. */
static bool is_selector(const char *text, size_t length)
{
    char copy[SELECTOR_MAX + 1];
    const struct crier_selector selector = {.text = copy};
    struct crier_grants *grants;

    if (length == 0 || length > SELECTOR_MAX)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (crier_grants_new(&selector, 1, &grants) != 0)
        return false;
    crier_grants_unref(grants);
    return true;
}

/* Adds the selectors in TEXT, with commas between them, to SELECTORS. */
static const char *add_selectors(struct conf_texts *selectors, const char *text)
{
    size_t length;

    for (;;) {
        length = measure_selector(text);
        if (!is_selector(text, length))
            return "a list of selectors, such as a,log/*,user/{id}";
        switch (texts_add(selectors, text, length)) {
        case 0:
            break;
        case -E2BIG:
            return "a list of at most 64 selectors";
        default:
            return "in memory, which is short";
        }
        if (text[length] == '\0')
            return NULL;
        text += length + 1;
    }
}

/* Reads TEXT, "sha256:" and 64 digits, into TOKEN's hash. */
static bool read_hash(struct conf_token *token, const char *text)
{
    int high, low;
    size_t i;

    if (strncmp(text, "sha256:", 7) != 0 ||
        strlen(text + 7) != 2 * sizeof token->hash)
        return false;
    text += 7;
    for (i = 0; i < sizeof token->hash; i++) {
        high = crier__number_digit(text[2 * i]);
        low = crier__number_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        token->hash[i] = (unsigned char)(high << 4 | low);
    }
    token->has_hash = true;
    return true;
}

const char *keyring_set_token(struct conf_token *token, const char *entry,
                                  const char *value)
{
    if (strcmp(entry, "publish") == 0)
        return add_selectors(&token->publish, value);
    if (strcmp(entry, "subscribe") == 0)
        return add_selectors(&token->subscribe, value);
    if (strcmp(entry, "hash") == 0)
        return read_hash(token, value)
                   ? NULL
                   : "sha256: and the 64 hexadecimal digits of the token's hash";
    if (strcmp(entry, "expires") == 0)
        return date_read(value, &token->expires)
                   ? NULL
                   : "a date such as 2027-01-31 or 2027-01-31T23:59:59Z";
    if (strcmp(entry, "admin") == 0) {
        token->admin = strcmp(value, "on") == 0;
        return token->admin || strcmp(value, "off") == 0 ? NULL : "on or off";
    }
    return "";
}

void keyring_end_token(struct conf_token *token)
{
    free(token->name);
    texts_clear(&token->publish);
    texts_clear(&token->subscribe);
    *token = (struct conf_token){0};
}

void keyring_clear_tokens(struct conf_tokens *tokens)
{
    while (tokens->count > 0)
        keyring_end_token(&tokens->list[--tokens->count]);
    free(tokens->list);
    tokens->list = NULL;
}

/* What TOKEN has in common with one of TOKENS that it may not; or NULL. */
static const char *find_double(const struct conf_tokens *tokens,
                               const struct conf_token *token)
{
    size_t i;

    for (i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->list[i].name, token->name) == 0)
            return "is given twice";
        if (memcmp(tokens->list[i].hash, token->hash, sizeof token->hash) == 0)
            return "has the hash of another token";
    }
    return NULL;
}

int keyring_add_token(struct conf_tokens *tokens, struct conf_token *token,
                          char *why, size_t size)
{
    const char *fault = token->has_hash ? find_double(tokens, token)
                                        : "without a hash";
    struct conf_token *more;

    if (fault != NULL) {
        snprintf(why, size, "%s", fault);
        return -EINVAL;
    }
    if (tokens->count == CONF_TOKENS_MAX)
        return -E2BIG;
    more = realloc(tokens->list, (tokens->count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    tokens->list = more;
    more[tokens->count++] = *token;
    *token = (struct conf_token){0};
    return 0;
}

/* ---- writing ---------------------------------------------------------- */

void keyring_print_key(const struct conf_key *key, FILE *to)
{
    if (key->file != NULL)
        fprintf(to, "%s:@%s", jose_alg_name(key->algorithm), key->file);
    else
        fprintf(to, "%s:...", jose_alg_name(key->algorithm));
}

void keyring_print_key_section(const struct conf_key *key, FILE *to)
{
    static const char *const uses[] = {
        [CONF_USE_PUBLISH] = "publish",
        [CONF_USE_SUBSCRIBE] = "subscribe",
        [CONF_USE_BOTH] = "both",
    };

    fprintf(to, "[key %s]\nalgorithm = %s\n", key->name,
            jose_alg_name(key->algorithm));
    if (key->file != NULL)
        fprintf(to, "file = %s\n", key->file);
    else
        fputs("# secret = ... is not shown\n", to);
    if (key->issuer != NULL)
        fprintf(to, "issuer = %s\n", key->issuer);
    fprintf(to, "use = %s\n", uses[key->use]);
}

static void print_selectors(const char *entry, const struct conf_texts *selectors,
                            FILE *to)
{
    size_t i;

    for (i = 0; i < selectors->count; i++)
        fprintf(to, "%s = %s\n", entry, selectors->list[i]);
}

void keyring_print_token(const struct conf_token *token, FILE *to)
{
    char date[DATE_SIZE];
    size_t i;

    fprintf(to, "[token %s]\nhash = sha256:", token->name);
    for (i = 0; i < sizeof token->hash; i++)
        fprintf(to, "%02x", token->hash[i]);
    fputc('\n', to);
    print_selectors("publish", &token->publish, to);
    print_selectors("subscribe", &token->subscribe, to);
    if (token->expires != 0) {
        date_print(date, token->expires);
        fprintf(to, "expires = %s\n", date);
    }
    if (token->admin)
        fputs("admin = on\n", to);
}
