/*
 * Which files the configuration may name.
 *
 * Rejected: pipes that are read without blocking. What `--config <(...)` hands over is empty
 * when crierd reads it again, and an empty file is a valid configuration: with no keys.
 */
#include <config.h>

#include "regular.h"

#include <string.h>
#include <sys/stat.h>

const char *regular_check(const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0 || S_ISREG(file.st_mode) || strcmp(path, "/dev/null") == 0)
        return NULL;
    return "not a regular file";
}
