/* Keys of what is limited. Subjects are as long as their tokens make them, so what is kept
 * of them is a hash of 128 bits. */
#include <config.h>

#include "key.h"

#include "crierd/config/cidr.h"

#include <string.h>

/* How many bytes of an address name a customer: of ::ffff:a.b.c.d, as cidr_bytes() writes
 * IPv4, all. */
#define V6_BYTES 8
#define MAPPED_BYTES 12

/* Added to the hash of a subject, so that no address has the same key. */
#define SUBJECT UINT64_C(0x7375626a65637401)

int limit_seeds_draw(struct limit_seeds *seeds)
{
    int error = keyed_hash_draw(&seeds->of[0]);

    return error != 0 ? error : keyed_hash_draw(&seeds->of[1]);
}

static struct limit_key hash_bytes(const struct limit_seeds *seeds,
                                   const void *bytes, size_t length)
{
    return (struct limit_key){{keyed_hash(&seeds->of[0], bytes, length),
                               keyed_hash(&seeds->of[1], bytes, length)}};
}

struct limit_key limit_key_address(const struct limit_seeds *seeds,
                                   const struct sockaddr *address)
{
    static const unsigned char mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
    unsigned char bytes[16];

    if (address == NULL || !cidr_bytes(address, bytes))
        return hash_bytes(seeds, "", 0);
    return hash_bytes(seeds, bytes,
                      memcmp(bytes, mapped, sizeof mapped) == 0 ? sizeof bytes
                                                                : V6_BYTES);
}

struct limit_key limit_key_subject(const struct limit_seeds *seeds,
                                   const char *subject)
{
    struct limit_key key = hash_bytes(seeds, subject, strlen(subject));

    key.words[0] ^= SUBJECT;
    return key;
}
