/*
 * What several handlers of /topics ask of a request: parameters that may be given in
 * the query or as a header, the media types it accepts, and whether it names topics
 * that are reserved.
 *
 * Names that begin with '$' belong to Crier. Clients neither publish to them nor delete
 * them, and subscribe only to those of presence. The names under which subscriptions of the
 * Mercure protocol are reported are reserved in the same way, but for subscribing.
 */
#include <config.h>

#include "parameter.h"

#include "mercure_name.h"
#include "crierd/http/respond.h"

#include <string.h>
#include <strings.h>

#define PRESENCE "$presence/"

const char *parameter_value(const struct request *request, const char *name,
                            const char *header)
{
    const struct uri_text *text = uri_parameter(&request->uri, name);

    if (text != NULL)
        return text->bytes;
    return header != NULL ? request_header(request, header) : NULL;
}

bool parameter_is_set(const struct request *request, const char *name)
{
    const char *value = parameter_value(request, name, NULL);

    return value != NULL && strcmp(value, "1") == 0;
}

bool parameter_accepts(const struct request *request, const char *type)
{
    const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);

    return accept != NULL && strcasestr(accept, type) != NULL;
}

bool parameter_has_type(const struct request *request, const char *type)
{
    const char *given = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t length = strlen(type);

    return given != NULL && strncasecmp(given, type, length) == 0 &&
           strchr(" \t;", given[length]) != NULL;
}

bool parameter_is_name_reserved(const char *name, bool presence)
{
    return name[0] == '$' &&
           !(presence && strncmp(name, PRESENCE, strlen(PRESENCE)) == 0);
}

/* Whether the first name in the list TOPICS is one under which subscriptions are
 * reported. */
static bool is_report_name(const char *topics)
{
    /* For most topics that is enough. */
    if (strstr(topics, "mercure") == NULL && strchr(topics, '%') == NULL)
        return false;
    return mercure_topic_is_reserved(topics, strcspn(topics, ","),
                                     MERCURE_SUBSCRIPTIONS);
}

bool parameter_is_reserved(const char *topics, bool presence)
{
    for (;;) {
        if (parameter_is_name_reserved(topics, presence) ||
            (!presence && is_report_name(topics)))
            return true;
        topics = strchr(topics, ',');
        if (topics == NULL)
            return false;
        topics++;
    }
}

const char parameter_reserved_type[] =
    "the type 'mercure' is reserved for events of crierd's own";

bool parameter_is_type_reserved(const char *type, size_t length)
{
    return length == strlen("mercure") && memcmp(type, "mercure", length) == 0;
}

bool parameter_may_be_private(struct request *request)
{
    if (conf_has_keys(conf_current()))
        return true;
    request->result = respond_problem(
        request, MHD_HTTP_BAD_REQUEST,
        "crierd has no key and no token configured, so nobody could be sent a "
        "private update");
    return false;
}

bool parameter_refuse_reserved(struct request *request)
{
    return respond_problem(request, MHD_HTTP_FORBIDDEN,
                           "topics whose names begin with '$' or lead to "
                           MERCURE_SUBSCRIPTIONS " are reserved");
}
