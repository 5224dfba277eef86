/* SPDX-License-Identifier: MIT */
#include "model/walk.h"

#include "base/log.h"

unsigned walk_refs_1d(int levels)
{
	BUG_ON(levels < 1 || levels > WALK_MAX_LEVELS);
	return levels;
}

unsigned walk_refs_2d(int guest_levels, int host_levels)
{
	return (walk_refs_1d(guest_levels) + 1) * (walk_refs_1d(host_levels) + 1) - 1;
}

unsigned walk_refs_3d_once(int guest_levels, int host_levels, int enclave_levels)
{
	BUG_ON(enclave_levels < 0 || enclave_levels > WALK_MAX_LEVELS);
	return walk_refs_2d(guest_levels, host_levels) + (guest_levels + 1) * enclave_levels;
}

unsigned walk_refs_3d_every(int guest_levels, int host_levels, int enclave_levels)
{
	BUG_ON(enclave_levels < 0 || enclave_levels > WALK_MAX_LEVELS);
	return (walk_refs_2d(guest_levels, host_levels) + 1) * (1 + enclave_levels) - 1;
}
