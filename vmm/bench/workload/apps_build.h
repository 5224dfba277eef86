/* SPDX-License-Identifier: MIT */
/* What the application kernels of guest/arena_apps.h read: tables, a tree, relations. Pure. */
#ifndef GNOMON_BENCH_WORKLOAD_APPS_BUILD_H
#define GNOMON_BENCH_WORKLOAD_APPS_BUILD_H

#include "../guest/arena_apps.h"

/* Fills the arena of `bytes` bytes, 64 KiB or more in whole pages of 4 KiB, for `app`. The seed is any number. */
void app_build(enum arena_app app, void *base, uint64_t bytes, uint64_t seed);

#endif
