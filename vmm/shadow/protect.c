/* SPDX-License-Identifier: MIT */
/* Write protection of the guest tables that have a shadow. */
#include "shadow/internal.h"

static enum shadow_result zap_2m_around(struct shadow *sh, struct counters *counters, int64_t n)
{
	const struct shadow_ref *ref;
	enum shadow_result r = SHADOW_DONE;

	while (r == SHADOW_DONE && (ref = sh->rmap_2m[n / 512])) {
		counter_inc(counters, CTR_SHADOW_WRITE_PROTECTS);
		r = shadow_set(sh, counters, ref->page, ref->index, (spte_t){0});
	}
	return r;
}

static enum shadow_result protect_4k(struct shadow *sh, struct counters *counters, int64_t n)
{
	enum shadow_result r = SHADOW_DONE;

	for (const struct shadow_ref *ref = sh->rmap[n]; r == SHADOW_DONE && ref; ref = ref->next) {
		const spte_t e = ref->page->spte[ref->index];

		if (!(e.raw & PTE_W))
			continue;
		counter_inc(counters, CTR_SHADOW_WRITE_PROTECTS);
		r = shadow_set(sh, counters, ref->page, ref->index, (spte_t){e.raw & ~PTE_W});
	}
	return r;
}

static bool is_mapped_writable(const struct shadow *sh, int64_t n)
{
	for (const struct shadow_ref *ref = sh->rmap[n]; ref; ref = ref->next)
		if (ref->page->spte[ref->index].raw & PTE_W)
			return true;
	return sh->rmap_2m[n / 512];
}

/* No entry maps it writable any more, but a CPU in the guest may have a translation from before. */
static bool is_known_writable(const struct shadow *sh, int64_t n)
{
	const uint64_t until = sh->unmapped[n], until_2m = sh->unmapped_2m[n / 512];

	return (until > until_2m ? until : until_2m) > sh->ops->oldest_flush(sh->ctx);
}

enum shadow_result shadow_write_protect(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	enum shadow_result r;
	mfn_t mfn;
	int level;
	int64_t n;

	if (!shadow_gfn_to_mfn(sh, gfn, &mfn, &level))
		return SHADOW_DONE;
	n = shadow_machine_frame(sh, mfn);
	if (!is_mapped_writable(sh, n)) {
		if (is_known_writable(sh, n))
			shadow_quiesce(sh, counters);
		return SHADOW_DONE;
	}
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE))
		return SHADOW_MUST_DROP;
	shadow_quiesce(sh, counters); /* from here on no vCPU writes the table unseen */
	r = zap_2m_around(sh, counters, n);
	return r == SHADOW_DONE ? protect_4k(sh, counters, n) : r;
}
