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

void shadow_unsync_set(struct shadow *sh, const struct shadow_page *page, unsigned index)
{
	if (page->role.level != 1 || page->role.direct || !shadow_track_of(sh, page->gfn)->unsync)
		return;
	for (unsigned i = 0; i < sh->nr_unsync; i++)
		if (sh->unsync[i]->gfn.raw == page->gfn.raw)
			sh->unsync[i]->was_set[index] = true;
}

void shadow_unsync_forget(struct shadow *sh, gfn_t gfn)
{
	struct shadow_unsync *ended;
	unsigned i = 0;

	while (i < sh->nr_unsync && sh->unsync[i]->gfn.raw != gfn.raw)
		i++;
	BUG_ON(i >= sh->nr_unsync);
	ended = sh->unsync[i];
	sh->unsync[i] = sh->unsync[--sh->nr_unsync];
	sh->unsync[sh->nr_unsync] = ended;
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
