/* SPDX-License-Identifier: MIT */
/* What the shadow MMU asks of a machine with one vCPU, which is never in the guest while a test looks. */
#ifndef SHADOW_ALONE_H
#define SHADOW_ALONE_H

#include "shadow/internal.h"

static inline void alone_quiesce(void *ctx, struct counters *c)
{
}

static inline uint64_t alone_oldest_flush(void *ctx)
{
	return UINT64_MAX;
}

#endif
