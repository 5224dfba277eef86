/* SPDX-License-Identifier: MIT */
#include "bench/workload/auto.h"

static const char *mode_name(bool shadow)
{
	return auto_paging_name[shadow ? AUTO_SHADOW : AUTO_NESTED];
}

void auto_tell(const struct auto_sample *s, enum auto_phase phase, bool starts_in_shadow, double tsc_mhz,
               struct auto_story *ret_story)
{
	struct auto_story story = {0};
	bool shadow = starts_in_shadow;
	uint64_t end = 0, begin, at, in_shadow = 0; /* ticks before the end of the last phase: time counts down */
	size_t n, i = 0;

	for (int p = phase + 1; p < AUTO_NR_PHASES; p++)
		end += s->tsc[p];
	begin = at = end + s->tsc[phase];
	for (; i < s->nr_changes && s->change[i].ago >= begin && phase != AUTO_INIT; i++)
		shadow = s->change[i].shadow;
	n = snprintf(story.words, sizeof(story.words), "%s", mode_name(shadow));
	/* The last phase has no end, and the first no beginning: nothing that was heard is lost. */
	for (; i < s->nr_changes && (s->change[i].ago >= end || phase == AUTO_AGAIN); i++) {
		const uint64_t ago = s->change[i].ago < begin ? s->change[i].ago : begin;

		in_shadow += shadow ? at - ago : 0;
		at = ago;
		shadow = s->change[i].shadow;
		story.changes++;
		if (n < sizeof(story.words) && tsc_mhz > 0)
			n += snprintf(story.words + n, sizeof(story.words) - n, ", %s from %.1f s", mode_name(shadow),
			              (begin - ago) / tsc_mhz / 1e6);
		else if (n < sizeof(story.words))
			n += snprintf(story.words + n, sizeof(story.words) - n, ", %s", mode_name(shadow));
	}
	in_shadow += shadow ? at - end : 0;
	story.in_shadow = (double)in_shadow / s->tsc[phase];
	*ret_story = story;
}
