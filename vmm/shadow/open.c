/* SPDX-License-Identifier: MIT */
/*
 * An instruction that the emulator does not know writes to guest tables that have a shadow. For as long as it takes
 * they are open: a vCPU may write them, while all others stay out of the guest. Afterwards each is protected and
 * compared.
 */
#include "shadow/internal.h"

bool shadow_open(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	struct shadow_track *track = shadow_track_of(sh, gfn);

	if (track->open)
		return true;
	if (sh->nr_open == SHADOW_OPEN_MAX)
		return false;
	shadow_quiesce(sh, counters);
	track->open = true;
	sh->open[sh->nr_open++] = gfn;
	return true;
}

void shadow_close_all(struct shadow *sh, struct counters *counters)
{
	while (sh->nr_open) {
		const gfn_t gfn = sh->open[--sh->nr_open];
		struct shadow_track *track = shadow_track_of(sh, gfn);
		enum shadow_result r;

		track->open = false;
		if (!track->pages || track->unsync)
			continue;
		r = shadow_write_protect(sh, counters, gfn);
		if (r == SHADOW_DONE)
			r = shadow_update(sh, counters, gfn_to_gpa(gfn), PAGE_SIZE);
		shadow_recover(sh, counters, r);
	}
}
