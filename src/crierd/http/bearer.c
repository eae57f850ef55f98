/*
 * Where the token of a request is (RFC 6750 section 2, and the Mercure protocol):
 *
 *   Authorization: Bearer TOKEN    if it is there, nothing else counts
 *   ?authorization=TOKEN           if --query-token is on; then no cookie counts
 *   a cookie                       a browser adds it by itself
 *
 * So a request has one token at most, and its source says whether somebody presented it
 * on purpose. When the token is wrong the request is refused; another one in a weaker
 * place is not tried.
 *
 * An Authorization of another scheme (Basic, as a proxy in front may ask for) is not for
 * crierd, and counts as none. Two fields called Authorization are refused, and so are two
 * tokens in one: a proxy may have joined the fields with a comma, and the next reader may
 * choose another one than this. Which bytes a token has is for auth_verify() to judge.
 */
#include <config.h>

#include "bearer.h"

#include <string.h>
#include <strings.h>

#define SCHEME "Bearer"

/* The name that the Mercure protocol 1.0 gives to the cookie. A browser accepts it over TLS
 * alone, so it precedes the other one, which anybody in the network may have set. */
#define SECURE_COOKIE "__Secure-mercure_access_token"

static void set_bearer(struct bearer *bearer, enum credential_source source,
                       const char *token, size_t length)
{
    if (length != 0)
        *bearer = (struct bearer){source, token, length};
}

static const char *read_authorization(const char *value, struct bearer *bearer)
{
    const char *token = value + strlen(SCHEME);
    size_t length;

    if (strncasecmp(value, SCHEME, strlen(SCHEME)) != 0 ||
        (*token != '\0' && *token != ' ' && *token != '\t'))
        return NULL;
    token += strspn(token, " \t");
    length = strlen(token);
    if (length == 0)
        return "no token stands behind Bearer in Authorization";
    if (memchr(token, ' ', length) != NULL || memchr(token, '\t', length) != NULL ||
        memchr(token, ',', length) != NULL)
        return "Authorization holds more than Bearer and one token";
    set_bearer(bearer, CREDENTIAL_HEADER, token, length);
    return NULL;
}

/* Finds the first cookie called NAME in FIELD, the value of a field Cookie. Returns its
 * value, of *LENGTH bytes, or NULL. */
static const char *find_cookie(const char *field, const char *name,
                               size_t *length)
{
    size_t name_length = strlen(name);

    for (;;) {
        field += strspn(field, " \t");
        *length = strcspn(field, ";");
        if (*length > name_length && field[name_length] == '=' &&
            strncmp(field, name, name_length) == 0) {
            field += name_length + 1;
            *length = strcspn(field, "; \t");
            return field;
        }
        if (field[*length] == '\0')
            return NULL;
        field += *length + 1;
    }
}

/* Finds the cookie NAME in all fields of REQUEST. */
static void read_cookie(const struct request *request, const char *name,
                        struct bearer *bearer)
{
    const char *field, *value;
    size_t length, count = 0;

    while ((field = request_header_behind(request, MHD_HTTP_HEADER_COOKIE,
                                          count++)) != NULL) {
        value = find_cookie(field, name, &length);
        if (value == NULL)
            continue;
        set_bearer(bearer, CREDENTIAL_COOKIE, value, length);
        return;
    }
}

static const char *read_query(const struct request *request,
                              struct bearer *bearer)
{
    size_t at = 0;
    const struct uri_text *token =
        uri_parameter_next(&request->uri, "authorization", &at);

    if (token == NULL)
        return NULL;
    if (uri_parameter_next(&request->uri, "authorization", &at) != NULL)
        return "the parameter authorization is there twice";
    set_bearer(bearer, CREDENTIAL_QUERY, token->bytes, token->length);
    return NULL;
}

const char *bearer_find(const struct request *request, struct bearer *bearer)
{
    const char *value =
        request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    const struct conf *conf = conf_current();
    const char *wrong = NULL;

    *bearer = (struct bearer){0};
    if (value != NULL) {
        if (request_header_behind(request, MHD_HTTP_HEADER_AUTHORIZATION, 1) !=
            NULL)
            return "the field Authorization is there twice";
        wrong = read_authorization(value, bearer);
    }
    if (wrong == NULL && bearer->source == CREDENTIAL_NONE &&
        conf->query_token)
        wrong = read_query(request, bearer);
    if (bearer->source == CREDENTIAL_NONE && wrong == NULL)
        read_cookie(request, SECURE_COOKIE, bearer);
    if (bearer->source == CREDENTIAL_NONE && wrong == NULL)
        read_cookie(request, conf->auth_cookie, bearer);
    return wrong;
}
