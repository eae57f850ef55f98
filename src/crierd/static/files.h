#ifndef CRIERD_FILES_H
#define CRIERD_FILES_H

#include "crierd/http/route.h"

/* Opens the directory DIR of the pages. Its descriptor, or -errno. */
int files_open(const char *dir);

/* The route of all pages: for the last of the server's tables. */
extern const struct route files_routes[];

#endif
