/*
 * The policy: which request is allowed. route.c asks it for every request, when the route
 * is known and the body has not been read. All that depends on the client belongs here:
 * the route has the scope, the request has the peer, the header fields and the token.
 *
 * These are refused, in this order:
 *
 *   400  requests whose token can be read in two ways (bearer.c)
 *   403  requests that change something and come from a page of another origin
 *   503  all that change something while crierd stops
 *   401  requests whose token is wrong, even where none is needed
 *   401  requests without a token that need one
 *   403  requests whose token does not grant what they ask for
 *   429  requests that publish more than their client may; where that depends on the body,
 *        by their handlers
 *
 * Routes with SCOPE_READ are open: their requests' tokens are not even looked at, so that
 * an old cookie closes nobody out of a page. Neither are those for SCOPE_OPERATE, which
 * depends on the listener and the address that a request comes from: 404 where only the
 * listeners of --admin-listen have the route, 403 for clients on other machines. A reverse
 * proxy hands on requests from everywhere, so a request with a field that a proxy adds
 * counts as one from another machine. Routes with SCOPE_IDENTITY are open, too, but respond
 * with what the token grants, so a wrong token is refused.
 *
 * A request may do what --anonymous allows to all, and what its token grants. Grants are
 * compared with the topics in the path as the handler takes them: decoded once, split at
 * commas. Where topics come otherwise, the handler asks when it has read them.
 *
 * Pages of another origin. A browser adds a cookie to what any page asks for, and any page
 * reaches a crierd that needs no token. So what changes something needs a sign that it is
 * no such page's: the origin is crierd's own, or one of --publish-origin, or the page is
 * one of --cors-origin and has presented the token itself, which proves that it knows it.
 * Programs send none of the fields that tell of a page, and browsers send them with
 * everything that changes something; so a request without them is refused only where it
 * has a cookie for its token.
 */
#include <config.h>

#include "policy.h"

#include "bearer.h"
#include "origin.h"
#include "respond.h"
#include "throttle.h"
#include "crierd/auth/auth.h"
#include "crierd/net/peer.h"

#include <string.h>
#include <strings.h>

/* The longest name or selector that can be granted, and a NUL. */
#define NAME_SIZE 1025

/* What the policy finds. */
enum finding {
    FINDING_ALLOWED,
    FINDING_MALFORMED,
    FINDING_FOREIGN,
    FINDING_STOPPING,
    FINDING_ELSEWHERE,
    FINDING_NO_OPERATOR,
    FINDING_WRONG_TOKEN,
    FINDING_BUSY,
    FINDING_NO_TOKEN,
    FINDING_NOT_GRANTED
};

struct verdict {
    enum finding finding;
    const char *why; /* constant; with _MALFORMED, _WRONG_TOKEN and _BUSY */
};

/* ---- pages of other origins ------------------------------------------- */

/* Whether something tells that a page of crierd's own origin made REQUEST. */
static bool is_own_page(const struct request *request)
{
    return (request_header(request, "Sec-Fetch-Site") != NULL ||
            request_header(request, MHD_HTTP_HEADER_ORIGIN) != NULL) &&
           !request_is_foreign(request);
}

/* Whether the origin of REQUEST is one whose pages may change something. */
static bool is_trusted_page(const struct request *request)
{
    const char *origin = request_header(request, MHD_HTTP_HEADER_ORIGIN);

    if (origin == NULL)
        return false;
    if (origins_find(&conf_current()->publish_origins, origin) != ORIGIN_OTHER)
        return true;
    return (request->credential == CREDENTIAL_HEADER ||
            request->credential == CREDENTIAL_QUERY) &&
           origins_find(&conf_current()->cors_origins, origin) != ORIGIN_OTHER;
}

/* Whether REQUEST, which changes something, may come from where it does. */
static bool may_change(const struct request *request)
{
    bool sound = request->credential == CREDENTIAL_COOKIE
                     ? is_own_page(request)
                     : !request_is_foreign(request);

    return sound || is_trusted_page(request);
}

bool policy_may_be_seen(struct request *request)
{
    const char *origin = request_header(request, MHD_HTTP_HEADER_ORIGIN);
    enum origin_match match = ORIGIN_OTHER;

    if (origin != NULL)
        match = origins_find(&conf_current()->cors_origins, origin);
    if (!request_is_foreign(request) || is_trusted_page(request) ||
        match == ORIGIN_NAMED ||
        (match == ORIGIN_ANY && request->credential != CREDENTIAL_COOKIE))
        return true;
    request->result = respond_cross_site(request);
    return false;
}

/* ---- whoever operates crierd -------------------------------------------- */

/* Whether a proxy has handed REQUEST on, as far as it says so. */
static bool is_handed_on(const struct request *request)
{
    static const char *const fields[] = {"Forwarded", "X-Forwarded-For",
                                         "X-Forwarded-Host", "X-Forwarded-Proto",
                                         "X-Real-IP", MHD_HTTP_HEADER_VIA};
    size_t i;

    for (i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (request_header(request, fields[i]) != NULL)
            return true;
    return false;
}

bool policy_is_operated(const struct request *request)
{
    return request->admin || !listeners_have_admin(&request->server->listeners);
}

bool policy_may_operate(const struct request *request)
{
    if (listeners_have_admin(&request->server->listeners))
        return request->admin;
    return request->peer != NULL && peer_is_local(request->peer) &&
           !is_handed_on(request) && !request_is_foreign(request);
}

/* What comes of REQUEST for a route with SCOPE_OPERATE. */
static enum finding judge_operator(const struct request *request)
{
    if (!policy_is_operated(request))
        return FINDING_ELSEWHERE;
    return policy_may_operate(request) ? FINDING_ALLOWED : FINDING_NO_OPERATOR;
}

/* ---- grants ------------------------------------------------------------ */

bool policy_is_open(enum scope scope)
{
    static const unsigned needed[] = {
        [SCOPE_READ] = CONF_ANONYMOUS_NONE,
        [SCOPE_IDENTITY] = CONF_ANONYMOUS_NONE,
        [SCOPE_SUBSCRIBE] = CONF_ANONYMOUS_SUBSCRIBE,
        [SCOPE_PUBLISH] = CONF_ANONYMOUS_PUBLISH,
        [SCOPE_OPERATE] = CONF_ANONYMOUS_NONE,
        [SCOPE_ADMIN] = CONF_ANONYMOUS_ALL,
    };

    /* An export has private updates, which need a token whatever is open. */
    if (scope == SCOPE_ADMIN && conf_has_keys(conf_current()))
        return false;
    return (conf_current()->anonymous & needed[scope]) == needed[scope];
}

static const struct crier_selector every_topic = {.text = "*"};

/* The length of the dot, or of its percent-encoded form, at TEXT; 0 for none. */
static size_t dot_length(const char *text)
{
    if (*text == '.')
        return 1;
    return strncasecmp(text, "%2e", 3) == 0 ? 3 : 0;
}

/* Whether a segment of the path TOPIC is "." or "..". As a URL it has another name then,
 * which a URL pattern matches, while the texts of other grants are compared byte by byte.
 * A URL takes a backslash for a slash. */
static bool has_dot_segment(const char *topic)
{
    const char *at = topic;

    for (;; at++) {
        if (dot_length(at) != 0) {
            at += dot_length(at);
            at += dot_length(at);
            if (*at == '\0' || strchr("/\\?#", *at) != NULL)
                return true;
        }
        at += strcspn(at, "/\\?#");
        if (*at != '/' && *at != '\\')
            return false;
    }
}

/* The grants of IDENTITY that SCOPE is about. */
static const struct crier_grants *choose_grants(const struct identity *identity,
                                                enum scope scope)
{
    return scope == SCOPE_SUBSCRIBE ? identity->subscribe : identity->publish;
}

/* Whether IDENTITY is granted what SCOPE is for, of SELECTOR, which to publish is the name
 * of a topic. */
static bool is_selector_granted(const struct identity *identity, enum scope scope,
                                const struct crier_selector *selector)
{
    const struct crier_grants *grants = choose_grants(identity, scope);

    if (scope == SCOPE_SUBSCRIBE)
        return crier_grants_cover(grants, selector);
    return crier_grants_match(grants, selector->text) &&
           (!has_dot_segment(selector->text) ||
            crier_grants_cover(grants, &every_topic));
}

/* Whether IDENTITY is granted what SCOPE is for, of all names or selectors in LIST, which
 * commas separate. */
static bool is_list_granted(const struct identity *identity, enum scope scope,
                            const char *list)
{
    char name[NAME_SIZE];
    const struct crier_selector selector = {.text = name};
    size_t length;

    if (scope == SCOPE_SUBSCRIBE)
        return crier_grants_cover_text(choose_grants(identity, scope), list);
    for (;; list += length + 1) {
        length = strcspn(list, ",");
        if (length >= sizeof name)
            return false;
        memcpy(name, list, length);
        name[length] = '\0';
        if (!is_selector_granted(identity, scope, &selector))
            return false;
        if (list[length] == '\0')
            return true;
    }
}

/* Whether IDENTITY is granted what ROUTE is for, as far as can be known before the body is
 * read. */
static bool is_route_granted(const struct request *request,
                             const struct route *route)
{
    const struct identity *identity = request->identity;
    enum scope scope = route->scope;

    if (scope == SCOPE_ADMIN) {
        if (identity->admin)
            return true;
        if (route->topics != ROUTE_TOPICS_PATH)
            return false;
        scope = SCOPE_PUBLISH;
    }
    switch (route->topics) {
    case ROUTE_TOPICS_PATH:
        return is_list_granted(identity, scope, request->argument->bytes);
    case ROUTE_TOPICS_LATER:
        return choose_grants(identity, scope) != NULL;
    default:
        return crier_grants_cover(choose_grants(identity, scope), &every_topic);
    }
}

/* Whether nobody needs a token for ROUTE. */
static bool is_route_open(const struct route *route)
{
    return policy_is_open(route->scope == SCOPE_ADMIN &&
                                  route->topics == ROUTE_TOPICS_PATH
                              ? SCOPE_PUBLISH
                              : route->scope);
}

/* Whether GRANTS have a selector. */
static bool grants_anything(const struct crier_grants *grants)
{
    return crier_grants_text(grants, 0) != NULL;
}

bool policy_may(const struct request *request, enum scope scope)
{
    const struct identity *identity = request->identity;

    if (policy_is_open(scope))
        return true;
    if (identity == NULL)
        return false;
    return scope == SCOPE_ADMIN ? identity->admin
                                : grants_anything(choose_grants(identity, scope));
}

/* ---- the verdict ------------------------------------------------------- */

/* Verifies the token of REQUEST, BEARER. */
static struct verdict verify_token(struct request *request,
                                   const struct bearer *bearer)
{
    enum auth_result result;

    if (bearer->source == CREDENTIAL_NONE)
        return (struct verdict){FINDING_ALLOWED, NULL};
    result = auth_verify(request->server->auth, bearer->token,
                         bearer->length, &request->identity);
    if (result == AUTH_OK)
        return (struct verdict){FINDING_ALLOWED, NULL};
    return (struct verdict){result == AUTH_BUSY ? FINDING_BUSY
                                                : FINDING_WRONG_TOKEN,
                            auth_refusal_text(result)};
}

/* What comes of REQUEST for ROUTE. */
static struct verdict judge_request(struct request *request,
                                    const struct route *route)
{
    struct bearer bearer = {0};
    struct verdict verdict = {0};

    if (route->scope == SCOPE_OPERATE)
        return (struct verdict){judge_operator(request), NULL};
    if (route->scope != SCOPE_READ) {
        verdict.why = bearer_find(request, &bearer);
        request->credential = bearer.source;
    }
    if (verdict.why != NULL)
        verdict.finding = FINDING_MALFORMED;
    else if (route->changes && !may_change(request))
        verdict.finding = FINDING_FOREIGN;
    else if (route->changes && atomic_load(&request->server->stopping))
        verdict.finding = FINDING_STOPPING;
    else
        verdict = verify_token(request, &bearer);
    if (verdict.finding != FINDING_ALLOWED || is_route_open(route))
        return verdict;
    if (request->identity == NULL)
        verdict.finding = FINDING_NO_TOKEN;
    else if (!is_route_granted(request, route))
        verdict.finding = FINDING_NOT_GRANTED;
    return verdict;
}

/* Responds to REQUEST, which SCOPE is for and which is refused. Returns what the handler
 * would return. */
static bool respond_refusal(struct request *request, enum scope scope,
                            const struct verdict *verdict)
{
    switch (verdict->finding) {
    case FINDING_MALFORMED:
        return respond_challenge(request, MHD_HTTP_BAD_REQUEST,
                                 "invalid_request", verdict->why);
    case FINDING_FOREIGN:
        if (request_is_foreign(request))
            return respond_cross_site(request);
        return respond_problem(request, MHD_HTTP_FORBIDDEN,
                               "where the token is in a cookie, Origin or "
                               "Sec-Fetch-Site must tell which page asks");
    case FINDING_ELSEWHERE:
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "there is nothing at this path");
    case FINDING_NO_OPERATOR:
        return respond_problem(request, MHD_HTTP_FORBIDDEN,
                               "this is for requests from the same machine that no "
                               "proxy has handed on; --admin-listen opens a listener "
                               "for others");
    case FINDING_STOPPING:
        return respond_error(request, CRIER_ERR_DRAINING);
    case FINDING_WRONG_TOKEN:
        return respond_challenge(request, MHD_HTTP_UNAUTHORIZED, "invalid_token",
                                 verdict->why);
    case FINDING_BUSY:
        return respond_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE, "%s",
                               verdict->why);
    case FINDING_NO_TOKEN:
        return respond_challenge(request, MHD_HTTP_UNAUTHORIZED, NULL,
                                 "this needs a token");
    default:
        return respond_challenge(
            request, MHD_HTTP_FORBIDDEN, "insufficient_scope",
            scope == SCOPE_SUBSCRIBE
                ? "the token does not grant subscribing to all of this"
            : scope == SCOPE_PUBLISH
                ? "the token does not grant publishing to all of this"
                : "the token does not grant this");
    }
}

bool policy_refuses(struct request *request, const struct route *route)
{
    enum finding finding = judge_request(request, route).finding;

    return finding != FINDING_ALLOWED && finding != FINDING_STOPPING;
}

bool policy_allows(struct request *request, const struct route *route)
{
    struct verdict verdict = judge_request(request, route);

    if (verdict.finding == FINDING_ALLOWED)
        return true;
    request->result = respond_refusal(request, route->scope, &verdict);
    return false;
}

/* Whether REQUEST may do what SCOPE is for with the COUNT SELECTORS. */
static bool check_selectors(struct request *request, enum scope scope,
                            const struct crier_selector *selectors, size_t count)
{
    struct verdict verdict = {.finding = FINDING_NO_TOKEN};
    size_t i;

    if (policy_is_open(scope))
        return true;
    if (request->identity != NULL) {
        for (i = 0; i < count; i++)
            if (!is_selector_granted(request->identity, scope, &selectors[i]))
                break;
        if (i == count)
            return true;
        verdict.finding = FINDING_NOT_GRANTED;
    }
    request->result = respond_refusal(request, scope, &verdict);
    return false;
}

bool policy_may_publish(struct request *request, const char *const *topics,
                        size_t count)
{
    struct crier_selector topic = {.match = CRIER_MATCH_EXACT};
    size_t i;

    for (i = 0; i < count; i++) {
        topic.text = topics[i];
        if (!check_selectors(request, SCOPE_PUBLISH, &topic, 1))
            return false;
    }
    return true;
}

bool policy_may_subscribe(struct request *request,
                          const struct crier_selector *selectors, size_t count)
{
    return check_selectors(request, SCOPE_SUBSCRIBE, selectors, count);
}

bool policy_is_granted(struct request *request, const char *topic)
{
    struct verdict verdict = {.finding = FINDING_NO_TOKEN};

    if (request->identity != NULL)
        verdict.finding = FINDING_NOT_GRANTED;
    if (request->identity != NULL &&
        crier_grants_match(request->identity->subscribe, topic))
        return true;
    request->result = respond_refusal(request, SCOPE_SUBSCRIBE, &verdict);
    return false;
}

/* ---- rates ------------------------------------------------------------- */

/* Whether REQUEST may publish at once: in SECONDS it may. Otherwise responds. */
static bool check_rate(struct request *request, uint64_t seconds)
{
    if (seconds == 0)
        return true;
    request->result = respond_limited(
        request, seconds,
        "this client publishes faster than it may; nothing of the request was published");
    return false;
}

bool policy_may_publish_now(struct request *request, uint64_t updates, uint64_t bytes)
{
    struct limits_client client = throttle_client(request);

    return check_rate(request, limits_publish(request->server->limits, &client,
                                              updates, bytes));
}

bool policy_may_send_body(struct request *request, uint64_t bytes)
{
    struct limits_client client = throttle_client(request);

    return request->route->scope != SCOPE_PUBLISH ||
           check_rate(request, limits_publish_wait(request->server->limits, &client,
                                                   1, bytes));
}
