#include <config.h>

#include "faults.h"

#include "preload.h"
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
    char path[64];
    void *at;
    int fd;

    snprintf(path, sizeof path, "%s/faults", scratch);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(struct faults)), 0);
    at = mmap(NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED,
              fd, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    close(fd);
    preload(getenv("FAULTS"));
    setenv("CRIER_FAULTS", path, 1);
    return at;
}

void faults_end(struct faults *faults)
{
    unsetenv("LD_PRELOAD");
    unsetenv("CRIER_FAULTS");
    munmap(faults, sizeof *faults);
}
