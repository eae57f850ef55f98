/*
 * GET /config: the configuration that is in force, for an admin, and where each value comes
 * from. After a reload it is the new one; of an option that a reload cannot change it is the
 * value that crierd was started with.
 */
#include <config.h>

#include "config_get.h"

#include "crierd/config/describe.h"
#include "crierd/http/respond.h"

bool config_get(struct request *request)
{
    return respond_json(request, MHD_HTTP_OK,
                        json_pack("{s:o}", "options",
                                  describe_options(conf_current())));
}
