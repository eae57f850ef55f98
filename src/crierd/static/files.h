#ifndef CRIERD_FILES_H
#define CRIERD_FILES_H

#include "crierd/http/route_table.h"

/* Opens the directory DIR of the pages. Returns its descriptor, which the caller closes,
 * or -errno. */
int files_open(const char *dir);

/* The route of all files: for the last of the server's tables. */
extern const struct route files_routes[];

#endif
