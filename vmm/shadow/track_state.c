/* SPDX-License-Identifier: MIT */
/* What is known of each guest frame: whether it holds tables that have a shadow, and who may write them. */
#include "shadow/internal.h"

bool shadow_is_tracked(const struct shadow *sh, gfn_t gfn)
{
	int64_t n = shadow_frame(sh, gfn);

	return n >= 0 && sh->track[n].pages && !sh->track[n].unsync && !sh->track[n].open &&
	       !(sh->opts & SHADOW_OPT_LAZY);
}

struct shadow_track *shadow_track_of(const struct shadow *sh, gfn_t gfn)
{
	return &sh->track[shadow_frame(sh, gfn)];
}

void shadow_unsync_forget(struct shadow *sh, gfn_t gfn)
{
	unsigned i = 0;

	while (sh->unsync[i].raw != gfn.raw)
		i++;
	BUG_ON(i >= sh->nr_unsync);
	sh->unsync[i] = sh->unsync[--sh->nr_unsync];
	shadow_track_of(sh, gfn)->unsync = false;
}

void shadow_track(struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);

	if (!sh->track[n].pages++)
		sh->tables_2m[n / 512]++;
}

void shadow_untrack(struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);

	if (--sh->track[n].pages)
		return;
	sh->tables_2m[n / 512]--;
	if (sh->track[n].unsync)
		shadow_unsync_forget(sh, gfn);
}
