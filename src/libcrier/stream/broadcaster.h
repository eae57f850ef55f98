#ifndef CRIER_BROADCASTER_H
#define CRIER_BROADCASTER_H

#include "crier.h"

/* Returns the shards of the streams of BROADCASTER, borrowed. */
struct crier_shards *
crier__broadcaster_shards(const struct crier_broadcaster *broadcaster);

#endif
