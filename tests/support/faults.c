#include <config.h>

#include "faults.h"

#include "scratch.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct faults *faults_begin(void)
{
    const char *library = getenv("FAULTS"), *old = getenv("ASAN_OPTIONS");
    char path[64], options[512];
    void *at;
    int fd;

    ck_assert_msg(library != NULL, "FAULTS is not set: run make check");
    snprintf(path, sizeof path, "%s/faults", scratch);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(struct faults)), 0);
    at = mmap(NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED,
              fd, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    close(fd);
    /* The address sanitizer wants to be the first library, and need not be. */
    snprintf(options, sizeof options, "verify_asan_link_order=0:%s",
             old != NULL ? old : "");
    setenv("ASAN_OPTIONS", options, 1);
    setenv("LD_PRELOAD", library, 1);
    setenv("CRIER_FAULTS", path, 1);
    return at;
}

void faults_end(struct faults *faults)
{
    unsetenv("LD_PRELOAD");
    unsetenv("CRIER_FAULTS");
    munmap(faults, sizeof *faults);
}
