/* SPDX-License-Identifier: MIT */
/* What the shadow does when the guest writes its tables, and when it flushes its TLB. */
#include "shadow/internal.h"

/* Written so often without a fault through it, a page is no table any more. */
#define FLOOD 4

/* Whether a table floods: then it is data, and its shadow goes. */
static bool floods(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	struct shadow_page *p = shadow_page_first(sh, gfn);

	if (!(sh->opts & SHADOW_OPT_FLOOD) || !p || ++p->writes < FLOOD)
		return false;
	counter_inc(counters, CTR_SHADOW_FLOODS);
	return true;
}

/* Brings the entries from `first` to `last` of one page up to date. */
static enum shadow_result update_page(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                      unsigned first, unsigned last)
{
	enum shadow_result r = SHADOW_DONE;

	for (unsigned i = first; r == SHADOW_DONE && i <= last; i++)
		r = shadow_update_entry(sh, counters, page, i);
	return r;
}

enum shadow_result shadow_update(struct shadow *sh, struct counters *counters, gpa_t at, unsigned len)
{
	const gfn_t gfn = gpa_to_gfn(at);
	const unsigned first = page_offset(at.raw) / 8, last = (page_offset(at.raw) + len - 1) / 8;
	const int64_t frame = shadow_frame(sh, gfn);
	enum shadow_result r = SHADOW_DONE;

	if (frame < 0 || !sh->track[frame].pages)
		return SHADOW_DONE;
	counter_inc(counters, CTR_SHADOW_TABLE_WRITES);
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE))
		return SHADOW_MUST_DROP;
	if (floods(sh, counters, gfn))
		return shadow_zap_table(sh, counters, gfn);
	for (struct shadow_page *p = shadow_page_first(sh, gfn); r == SHADOW_DONE && p; p = shadow_page_next(p))
		r = update_page(sh, counters, p, first, last);
	return r;
}

void shadow_written(struct shadow *sh, struct counters *counters, gpa_t at, unsigned len)
{
	written_note(&sh->s2->written, at, len);
	shadow_recover(sh, counters, shadow_update(sh, counters, at, len));
}

void shadow_faulted(struct shadow *sh, struct counters *counters, gpa_t cr3, gva_t gva)
{
	shadow_recover(sh, counters, shadow_sync_address(sh, counters, gpa_to_gfn(cr3), gva));
}

void shadow_flushed(struct shadow *sh, struct counters *counters, gpa_t cr3)
{
	enum shadow_result r = SHADOW_MUST_DROP;

	if (sh->opts & SHADOW_OPT_ROOT_CACHE && sh->opts & SHADOW_OPT_LAZY)
		r = shadow_lazy_sync_root(sh, counters, gpa_to_gfn(cr3));
	else if (sh->opts & SHADOW_OPT_ROOT_CACHE)
		r = shadow_sync_all(sh, counters);
	shadow_recover(sh, counters, r);
}
