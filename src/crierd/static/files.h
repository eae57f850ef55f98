#ifndef CRIERD_FILES_H
#define CRIERD_FILES_H

#include "crierd/http/request.h"

/* Opens the directory DIR of the pages. Its descriptor, or -errno. */
int files_open(const char *dir);

/* Answers with the page that the path names. */
bool files_get(struct request *request);

#endif
