/*
 * GET /identity: who crierd takes a client for, and what that may do. A page asks before it
 * offers anything, so that it offers what will work.
 *
 * The policy stays the judge of each request; this only reports what it goes by: what
 * --anonymous allows to all, and what the request's token grants in addition. "may" says
 * what is possible at all, with some topic; which topics, the selectors of the grants say.
 * So the response has nothing that its client could not find out by trying.
 */
#include <config.h>

#include "access.h"

#include "crierd/config/date.h"
#include "crierd/config/options.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"

#include <string.h>

/* Adds the LENGTH bytes at TEXT to LIST. False when memory is short. */
static bool add_selector_text(json_t *list, const char *text, size_t length)
{
    return json_array_append_new(list, json_stringn(text, length)) == 0;
}

/* A new list of the selectors of GRANTS, which may be NULL. NULL when memory is short. */
static json_t *list_grants(const struct crier_grants *grants)
{
    json_t *list = json_array();
    const char *text;
    size_t i;

    for (i = 0; (text = crier_grants_text(grants, i)) != NULL; i++)
        if (!add_selector_text(list, text, strlen(text))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* A new list of the topics with presence, PRESENCE, which may be NULL. NULL when memory is
 * short. */
static json_t *list_presence(const char *presence)
{
    json_t *list = json_array();
    size_t length;

    for (; presence != NULL; presence = presence[length] == ',' ? presence + length + 1
                                                                : NULL) {
        length = strcspn(presence, ",");
        if (!add_selector_text(list, presence, length)) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* A new description of IDENTITY, which may be NULL. NULL when memory is short. */
static json_t *describe_identity(const struct identity *identity)
{
    char expires[DATE_SIZE] = "";

    if (identity == NULL)
        return json_null();
    if (identity->expires != 0)
        date_print(expires, identity->expires);
    return json_pack("{s:s?, s:o, s:o, s:b, s:s?}", "subject", identity->subject,
                     "publish", list_grants(identity->publish), "subscribe",
                     list_grants(identity->subscribe), "admin", identity->admin,
                     "expires", expires[0] != '\0' ? expires : NULL);
}

/* A new description of what REQUEST may do. NULL when memory is short. */
static json_t *describe_may(const struct request *request)
{
    return json_pack("{s:b, s:b, s:b}", "publish", policy_may(request, SCOPE_PUBLISH),
                     "subscribe", policy_may(request, SCOPE_SUBSCRIBE), "admin",
                     policy_may(request, SCOPE_ADMIN));
}

bool access_get(struct request *request)
{
    const struct conf *conf = conf_current();
    const struct option_row *anonymous = option_find("anonymous");
    /* Names of topics are none of anybody's business who may not subscribe at all. */
    bool may_subscribe = policy_may(request, SCOPE_SUBSCRIBE);

    return respond_json(
        request, MHD_HTTP_OK,
        json_pack("{s:s, s:b, s:o, s:o, s:b, s:o, s:b, s:I, s:s}", "anonymous",
                  anonymous->choices[conf->anonymous], "tokens", conf_has_keys(conf),
                  "identity", describe_identity(request->identity), "may",
                  describe_may(request), "demo", conf->demo, "presence",
                  list_presence(may_subscribe ? conf->presence : NULL),
                  "subscriptions", conf->subscriptions, "max_update",
                  (json_int_t)conf->max_update, "version", crier_version()));
}
