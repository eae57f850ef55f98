#ifndef CRIERD_NOT_FOUND_H
#define CRIERD_NOT_FOUND_H

#include "crierd/http/request.h"

/* Whether URI names the page that is sent when nothing is there. It is not there itself, since
 * it needs to know for which path it is. */
bool not_found_is_page(const struct uri *uri);

/* Responds to REQUEST, for which there is no file, with 404. Returns what the handler
 * returns. */
bool not_found_respond(struct request *request);

#endif
