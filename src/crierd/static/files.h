#ifndef CRIERD_FILES_H
#define CRIERD_FILES_H

#include "crierd/http/request.h"

/* Opens the directory DIR of the pages. Returns its descriptor, which the caller closes,
 * or -errno. */
int files_open(const char *dir);

/* Responds with the file that the path of REQUEST names, or with 404. Returns what the
 * handler returns. */
bool files_get(struct request *request);

#endif
