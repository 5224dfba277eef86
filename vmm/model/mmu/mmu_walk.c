/* SPDX-License-Identifier: MIT */
/*
 * Which references of a walk are read. Those of the guest's tables divide it; between two of them lies the host's walk to
 * the second, with the third stage's checks:
 *
 *     h4 h3 h2 h1 G4   h4 h3 h2 h1 G3   ...   h4 h3 h2 h1
 *     `---nested----'  a page-walk cache of G3 spares all up to here
 */
#include "model/mmu/mmu_parts.h"

struct mmu_walk {
	struct model_mmu *mmu;
	const struct model_walk *walk;
	unsigned refs;
	uint64_t cycles;
};

static bool in_pwc(struct model_mmu *mmu, const struct model_ref *ref, struct assoc **ret_pwc, uint64_t *ret_key)
{
	const unsigned pwc =
	    ref->level && ref->level < SHAPE_LEVELS ? mmu->pwc_of[ref->dimension][ref->level] : MMU_NO_PWC;

	if (pwc == MMU_NO_PWC)
		return false;
	*ret_pwc = &mmu->pwc[pwc];
	*ret_key = mmu_key(ref->key, ref->shift, ref->dimension * SHAPE_LEVELS + ref->level);
	return true;
}

static void read_entry(struct mmu_walk *w, const struct model_ref *ref)
{
	struct mmu_counts *c = &w->mmu->counts;
	const unsigned at = mmu_find_line(w->mmu, ref->address, w->mmu->shape.walker_cache, &w->cycles);

	w->refs++;
	c->of[ref->dimension]++;
	c->ref_at[at]++;
	if (at == MMU_MEMORY) /* as every line is that is read for the first time */
		line_set_add(&w->mmu->lines, ref->address / SHAPE_LINE);
}

/* The last reference of a dimension in a range maps; those before it lead on, and the page-walk caches keep them. */
static unsigned leaf_of(const struct model_walk *walk, unsigned first, unsigned end, unsigned dimension)
{
	for (unsigned i = end; i-- > first;)
		if (walk->ref[i].dimension == dimension)
			return i;
	return end;
}

/*
 * Of the references first to before leaf, the last of a dimension that a page-walk cache has: the walk goes on behind it.
 * Negative: none.
 */
static int last_cached(struct mmu_walk *w, unsigned first, unsigned leaf, unsigned dimension)
{
	struct assoc *pwc;
	uint64_t key;

	for (unsigned i = leaf; i-- > first;) {
		const struct model_ref *ref = &w->walk->ref[i];

		if (ref->dimension == dimension && in_pwc(w->mmu, ref, &pwc, &key) && assoc_look_up(pwc, key, NULL))
			return (int)i;
	}
	return -1;
}

static void keep(struct mmu_walk *w, const struct model_ref *ref)
{
	struct assoc *pwc;
	uint64_t key;

	if (in_pwc(w->mmu, ref, &pwc, &key))
		assoc_insert(pwc, key, 0);
}

/* One check of a machine address by the third stage: references first to before end. */
static void walk_check(struct mmu_walk *w, unsigned first, unsigned end)
{
	const struct model_ref *ref = &w->walk->ref[first];
	const uint64_t key = mmu_key(ref->key, 12, 0);
	const int cached =
	    assoc_look_up(&w->mmu->check, key, NULL) ? (int)end - 1 : last_cached(w, first, end - 1, MODEL_ENCLAVE);

	for (unsigned i = cached < 0 ? first : (unsigned)cached + 1; i < end; i++) {
		read_entry(w, &w->walk->ref[i]);
		if (i + 1 < end)
			keep(w, &w->walk->ref[i]);
	}
	if (cached < (int)end - 1)
		assoc_insert(&w->mmu->check, key, 0);
}

/* The end of the check that begins at reference `first`: what follows of the same key. */
static unsigned check_end(const struct model_walk *walk, unsigned first, unsigned end)
{
	unsigned i = first + 1;

	while (i < end && walk->ref[i].dimension == MODEL_ENCLAVE && walk->ref[i].key == walk->ref[first].key &&
	       (!walk->ref[i].level || walk->ref[i].level < walk->ref[i - 1].level))
		i++;
	return i;
}

/* The host's walk to what the guest's next entry, or the data, lies in: references first to before end. */
static void walk_host(struct mmu_walk *w, unsigned first, unsigned end)
{
	const unsigned leaf = leaf_of(w->walk, first, end, MODEL_HOST);
	const struct model_ref *ref = &w->walk->ref[leaf < end ? leaf : first];
	const int shift = ref->shift ? ref->shift : 12;
	const uint64_t key = mmu_key(ref->key, shift, shift);
	int cached;

	if (leaf < end && assoc_look_up(&w->mmu->nested, key, NULL))
		return;
	cached = last_cached(w, first, leaf, MODEL_HOST);
	for (unsigned i = cached < 0 ? first : (unsigned)cached + 1; i < end; i++) {
		ref = &w->walk->ref[i];
		if (ref->dimension == MODEL_ENCLAVE) {
			const unsigned behind = check_end(w->walk, i, end);

			walk_check(w, i, behind);
			i = behind - 1;
			continue;
		}
		read_entry(w, ref);
		if (i != leaf)
			keep(w, ref);
	}
	if (leaf < end)
		assoc_insert(&w->mmu->nested, key, 0);
}

unsigned mmu_read_walk(struct model_mmu *mmu, const struct model_walk *walk, uint64_t *cycles)
{
	struct mmu_walk state = {.mmu = mmu, .walk = walk}, *const w = &state;
	const unsigned nr = model_walk_kept(walk), leaf = leaf_of(walk, 0, nr, MODEL_GUEST);
	const int cached = last_cached(w, 0, leaf, MODEL_GUEST);
	unsigned i = cached < 0 ? 0 : (unsigned)cached + 1;

	while (i < nr) {
		unsigned end = i;

		while (end < nr && walk->ref[end].dimension != MODEL_GUEST)
			end++;
		if (end > i)
			walk_host(w, i, end);
		if (end < nr) {
			read_entry(w, &walk->ref[end]);
			if (end != leaf)
				keep(w, &walk->ref[end]);
			end++;
		}
		i = end;
	}
	/* Hashed tables that are nearly full: what the walk could not keep is read from memory. */
	w->refs += walk->nr - nr;
	mmu->counts.ref_at[MMU_MEMORY] += walk->nr - nr;
	*cycles += w->cycles + (uint64_t)(walk->nr - nr) * mmu->shape.memory_cycles;
	return w->refs;
}
