#ifndef CRIERD_TOPICS_H
#define CRIERD_TOPICS_H

#include "crierd/http/request.h"

/* GET /topics: lists topics. */
bool topics_list(struct request *request);

/* GET /topics/a,b: subscribes to topics, or describes one. */
bool topics_get(struct request *request);

/* DELETE /topics/a: deletes the updates of a topic. */
bool topics_delete(struct request *request);

#endif
