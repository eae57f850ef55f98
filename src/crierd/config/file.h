#ifndef CRIERD_FILE_H
#define CRIERD_FILE_H

#include "mistakes.h"

/* Reads the configuration file PATH into CONF. */
void file_read(const char *path, struct conf *conf, struct mistakes *mistakes);

#endif
