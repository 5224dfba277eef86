/* SPDX-License-Identifier: MIT */
/*
 * A host that is a virtual machine may have to fetch memory from its own host first: a guest kernel reports what is free
 * for some seconds, and has to fault it in again: 2 MiB in 5 ms, where 0.1 ms clears them. Pure.
 */
#ifndef GNOMON_BENCH_TOUCH_H
#define GNOMON_BENCH_TOUCH_H

#include <stdint.h>

/* Touches so much memory, a multiple of 2 MiB, by huge pages where there are any, and gives it back: who asks for memory next gets it. */
void bench_touch_memory(uint64_t bytes);

#endif
