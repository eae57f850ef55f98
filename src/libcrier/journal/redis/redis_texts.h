#ifndef CRIER_REDIS_TEXTS_H
#define CRIER_REDIS_TEXTS_H

/* What make writes to redis_texts.c: the scripts in the order of LUA_TEXTS in
 * src/libcrier/Makefile.inc, which is that of enum crier__redis_script. */
struct crier__redis_text {
    const char *name;
    const char *text;
};

extern const struct crier__redis_text crier__redis_texts[];

#endif
