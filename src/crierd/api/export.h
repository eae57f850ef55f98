#ifndef CRIERD_EXPORT_H
#define CRIERD_EXPORT_H

#include "crierd/http/request.h"

/* GET /export: sends all updates of the journal. */
bool export_get(struct request *request);

#endif
