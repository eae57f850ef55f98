#ifndef CRIERD_NOT_FOUND_H
#define CRIERD_NOT_FOUND_H

#include "crierd/http/request.h"

/* Responds to REQUEST, for which there is no file, with 404. Returns what the handler
 * returns. */
bool not_found_respond(struct request *request);

#endif
