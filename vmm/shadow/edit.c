/* SPDX-License-Identifier: MIT */
/* The queue of edits, which the stub stores on the way into the guest. */
#include <stdlib.h>
#include <string.h>

#include "shadow/internal.h"

static bool more_edits(struct shadow *sh)
{
	const unsigned max = sh->max_edits ? 2 * sh->max_edits : 256;
	struct shadow_edit *edit = realloc(sh->edit, max * sizeof(*edit));

	if (!edit)
		return false;
	sh->edit = edit;
	sh->max_edits = max;
	return true;
}

enum shadow_result shadow_edit_queue(struct shadow *sh, struct counters *counters, const struct shadow_page *page,
                                     unsigned index, spte_t value)
{
	if (sh->nr_edits == sh->max_edits && !more_edits(sh))
		return SHADOW_MUST_DROP;
	sh->edit[sh->nr_edits++] = (struct shadow_edit){
	    .entry = maddr_add(page->table, index * sizeof(uint64_t)),
	    .value = value,
	};
	sh->flushes++;
	counter_inc(counters, CTR_SHADOW_EDITS);
	return SHADOW_DONE;
}

const struct shadow_edit *shadow_edits(const struct shadow *sh)
{
	return sh->edit;
}

unsigned shadow_nr_edits(const struct shadow *sh)
{
	return sh->nr_edits;
}

void shadow_edits_stored(struct shadow *sh, unsigned n)
{
	if (n == 0)
		return; /* there may be no array yet */
	sh->nr_edits -= n;
	memmove(sh->edit, sh->edit + n, sh->nr_edits * sizeof(*sh->edit));
}
