/*
 * A fuzz target without a fuzzer: runs it on the files named as arguments, or, with
 * none, on all of its seed corpus, which is what `make check` does: replay_NAME
 * reads every file in the directory NAME below FUZZ_CORPUS (an environment
 * variable). So a find is looked at with any compiler and debugger.
 */
#include <config.h>

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Runs the target on the file at PATH; false when it cannot be read. */
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    uint8_t *input;
    size_t size, got;

    if (file == NULL || fstat(fileno(file), &status) != 0) {
        perror(path);
        if (file != NULL)
            fclose(file);
        return 0;
    }
    size = (size_t)status.st_size;
    input = malloc(size != 0 ? size : 1);
    got = fread(input, 1, size, file);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout); /* it may be the last word */
    LLVMFuzzerTestOneInput(input, got);
    free(input);
    return got == size;
}

/* The corpus below CORPUS of the target that this program is of. */
static void name_directory(char *directory, size_t size, const char *corpus)
{
    const char *target = strchr(program_invocation_short_name, '_');

    snprintf(directory, size, "%s/%s", corpus,
             target != NULL ? target + 1 : "");
}

/* Runs the target on all files of its directory, of which there must be some. */
static int replay_all(const char *corpus)
{
    struct dirent **entries;
    char directory[2048], path[4096];
    int count, i, files = 0, good = 1;

    name_directory(directory, sizeof directory, corpus);
    count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0) {
        perror(directory);
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", directory,
                     entries[i]->d_name);
            good &= replay(path);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%d files\n", files);
    return good && files > 0;
}

int main(int argc, char **argv)
{
    const char *corpus = getenv("FUZZ_CORPUS");
    int i, good = 1;

    if (argc < 2 && corpus == NULL) {
        fprintf(stderr, "Usage: %s FILE...\n", argv[0]);
        return 2;
    }
    if (argc < 2)
        good = replay_all(corpus);
    for (i = 1; i < argc; i++)
        good &= replay(argv[i]);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
