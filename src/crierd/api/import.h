#ifndef CRIERD_IMPORT_H
#define CRIERD_IMPORT_H

#include "crierd/http/request.h"

/* How many updates one request may import, and updates times topics. */
#define IMPORT_MAX 10000
#define IMPORT_PLACES 100000

/* POST /import: publishes the updates of another journal. */
bool import_handle(struct request *request);

#endif
