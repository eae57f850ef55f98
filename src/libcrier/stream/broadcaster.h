#ifndef CRIER_BROADCASTER_H
#define CRIER_BROADCASTER_H

#include "crier.h"

/* The shards that the streams of BROADCASTER live on. Borrowed. */
struct crier_shards *
crier__broadcaster_shards(const struct crier_broadcaster *broadcaster);

#endif
