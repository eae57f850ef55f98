/*
 * Random numbers from the kernel: names that are to be like no others (an epoch, a run
 * of a publisher), and numbers that spread what many would do at the same moment.
 */
#include <config.h>

#include "random.h"

#include <errno.h>
#include <sys/random.h>

uint64_t crier__random_below(uint64_t limit)
{
    uint32_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = 0;
    return random % limit;
}

int crier__random_name(char name[CRIER__RANDOM_NAME_SIZE])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char random[CRIER__RANDOM_NAME_SIZE - 1];
    size_t i;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -errno;
    for (i = 0; i < sizeof random; i++)
        name[i] = digits[random[i] % 32];
    name[i] = '\0';
    return 0;
}
