#ifndef CRIERD_API_H
#define CRIERD_API_H

#include "request.h"

/* /topics: publish, follow, list, describe and forget. */

enum MHD_Result api_publish(struct request *request);
enum MHD_Result api_follow(struct request *request);
enum MHD_Result api_list(struct request *request);
enum MHD_Result api_forget(struct request *request);

/* Where the request wants to begin: Last-Event-ID, lastEventID=, since=, or now.
 * OPTIONS borrows from REQUEST. */
void api_start(const struct request *request,
               struct crier_follow_options *options);

#endif
