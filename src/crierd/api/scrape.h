#ifndef CRIERD_SCRAPE_H
#define CRIERD_SCRAPE_H

#include "crierd/http/request.h"

/* GET /metrics: responds with all metrics, in Prometheus' text format. */
bool scrape_get(struct request *request);

#endif
