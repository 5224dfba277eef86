/* SPDX-License-Identifier: MIT */
/* Frames of RAM, by number: what the shadow keeps of each it keeps in arrays. */
#include "shadow/internal.h"

/* RAM's frames numbered through. Guest and machine frames are laid out alike; the second stage may leave some out. */
static int64_t frame_number(const struct shadow *sh, uint64_t frame)
{
	uint64_t before = 0;

	for (int i = 0; i < sh->s2->mem->nr_regions; i++) {
		const struct mem_region *r = &sh->s2->mem->region[i];
		uint64_t n = frame - (maddr_raw(r->base) >> PAGE_SHIFT);

		if (n < r->size >> PAGE_SHIFT)
			return before + n;
		before += r->size >> PAGE_SHIFT;
	}
	return -1;
}

int64_t shadow_frame(const struct shadow *sh, gfn_t gfn)
{
	return frame_number(sh, gfn.raw);
}

int64_t shadow_machine_frame(const struct shadow *sh, mfn_t mfn)
{
	return frame_number(sh, mfn.raw);
}

bool shadow_frame_mapped(const struct shadow *sh, gfn_t gfn)
{
	struct stage2_mapping m;

	return stage2_lookup(sh->s2, gfn_to_gpa(gfn), &m);
}

bool shadow_gfn_to_mfn(const struct shadow *sh, gfn_t gfn, mfn_t *ret_mfn, int *ret_level)
{
	struct stage2_mapping m;

	if (!stage2_lookup(sh->s2, gfn_to_gpa(gfn), &m))
		return false;
	*ret_mfn = maddr_to_mfn(m.maddr);
	*ret_level = m.level;
	return true;
}
