/*
 * SipHash-1-3 (Aumasson, Bernstein): hashes for tables whose keys others choose. With a
 * hash that they can compute, they could make all keys collide, and each look-up as slow
 * as a list.
 */
#include <config.h>

#include "keyed_hash.h"

#include <errno.h>
#include <endian.h>
#include <string.h>
#include <sys/random.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix_state(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static void add_word(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix_state(s);
    s->v0 ^= word;
}

int keyed_hash_draw(struct keyed_hash_seed *seed)
{
    ssize_t count = getrandom(seed, sizeof *seed, 0);

    if (count < 0)
        return -errno;
    return count == sizeof *seed ? 0 : -EIO;
}

uint64_t keyed_hash(const struct keyed_hash_seed *seed, const void *data,
                    size_t length)
{
    const unsigned char *at = data, *end = at + length / 8 * 8;
    struct state s = {
        seed->words[0] ^ UINT64_C(0x736f6d6570736575),
        seed->words[1] ^ UINT64_C(0x646f72616e646f6d),
        seed->words[0] ^ UINT64_C(0x6c7967656e657261),
        seed->words[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word;

    for (; at < end; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        add_word(&s, le64toh(word));
    }
    word = 0;
    memcpy(&word, at, length % 8);
    add_word(&s, le64toh(word) | (uint64_t)length << 56);
    s.v2 ^= 0xff;
    mix_state(&s);
    mix_state(&s);
    mix_state(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
