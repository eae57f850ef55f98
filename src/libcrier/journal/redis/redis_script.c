/*
 * The scripts: their texts and names.
 *
 * The texts are files, scripts/NAME.lua, which make puts into redis_texts.c. Some files are
 * parts that several scripts begin with; Redis is given the whole. Each text is constant.
 */
#include <config.h>

#include "redis_script.h"

#include "redis_texts.h"

#include <stddef.h>

const char *crier__redis_script_text(enum crier__redis_script script)
{
    return crier__redis_texts[script].text;
}

const char *crier__redis_script_name(enum crier__redis_script script)
{
    return crier__redis_texts[script].name;
}
