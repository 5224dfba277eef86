/* SPDX-License-Identifier: MIT */
#include "model/mmu/mmu.h"

#include <stdlib.h>
#include <string.h>

#include "model/mmu/mmu_parts.h"

/* Before anything else goes through the caches. */
static void finish_data(struct model_mmu *mmu)
{
	if (mmu->pending)
		mmu->counts.data_at[mmu_find_line(mmu, mmu->data, 0, &mmu->counts.data_cycles)]++;
	mmu->pending = false;
}

/* Of the last access. It is done while the next one looks into its TLBs: until then the caches' sets come from memory. */
static void load_data(struct model_mmu *mmu, uint64_t pa)
{
	finish_data(mmu);
	mmu_prefetch_line(mmu, pa);
	mmu->data = pa;
	mmu->pending = true;
}

/* ---- TLBs ---- */

static uint64_t page_of(uint64_t address, int shift)
{
	return address >> shift << shift;
}

/* The largest page that the array has for a page of this size; negative: none. */
static int fitting_shift(uint64_t shifts, int page_shift)
{
	const uint64_t fit = shifts & ((2ull << page_shift) - 1);

	return fit ? 63 - __builtin_clzll(fit) : -1;
}

/* The array of a level whose pages are the largest that fit takes the page. */
static struct mmu_fill fill_of(const struct mmu_shape *shape, int level, int page_shift)
{
	struct mmu_fill fill = {.tlb = MMU_NO_TLB};
	int shift = -1;

	for (size_t i = 0; i < shape->nr_tlbs; i++) {
		const struct shape_tlb *t = &shape->tlb[i];
		const int fits = t->level == level ? fitting_shift(t->shifts, page_shift) : -1;

		if (fits > shift) {
			shift = fits;
			fill = (struct mmu_fill){.tlb = (uint8_t)i, .shift = (uint8_t)fits};
		}
	}
	return fill;
}

/* `pa`: of the address. */
static void fill_tlb(struct model_mmu *mmu, int level, uint64_t va, uint64_t pa, int page_shift)
{
	const struct mmu_fill fill = mmu->fill[level - 1][page_shift];

	if (fill.tlb == MMU_NO_TLB)
		return;
	mmu->seen |= 1ull << fill.shift;
	assoc_insert(&mmu->tlb[fill.tlb], mmu_key(va, fill.shift, fill.shift), page_of(pa, fill.shift));
}

static bool look_up_tlb(struct model_mmu *mmu, size_t i, uint64_t va, uint64_t *ret_pa, int *ret_shift)
{
	for (uint64_t left = mmu->shape.tlb[i].shifts & mmu->seen; left; left &= left - 1) {
		const int shift = __builtin_ctzll(left);
		uint64_t page;

		if (!assoc_look_up(&mmu->tlb[i], mmu_key(va, shift, shift), &page))
			continue;
		*ret_pa = page + (va - page_of(va, shift));
		*ret_shift = shift;
		return true;
	}
	return false;
}

bool model_mmu_hit(struct model_mmu *mmu, uint64_t va)
{
	uint64_t pa;
	int shift;

	for (size_t i = 0; i < mmu->shape.nr_tlbs; i++) {
		if (!look_up_tlb(mmu, i, va, &pa, &shift))
			continue;
		mmu->counts.accesses++;
		if (mmu->shape.tlb[i].level == 1) {
			mmu->counts.tlb1++;
		} else {
			mmu->counts.tlb2++;
			mmu->counts.translation_cycles += mmu->shape.tlb2_cycles;
			fill_tlb(mmu, 1, va, pa, shift);
		}
		load_data(mmu, pa);
		return true;
	}
	return false;
}

void model_mmu_ahead(const struct model_mmu *mmu, uint64_t address)
{
	mmu_prefetch_line(mmu, address);
}

void model_mmu_flush(struct model_mmu *mmu, uint64_t va, int page_shift)
{
	for (size_t i = 0; i < mmu->shape.nr_tlbs; i++) {
		for (uint64_t left = mmu->shape.tlb[i].shifts & mmu->seen; left; left &= left - 1) {
			const int shift = __builtin_ctzll(left);

			for (uint64_t at = 0; at < 1ull << page_shift; at += 1ull << shift)
				assoc_remove(&mmu->tlb[i], mmu_key(va + at, shift, shift));
		}
	}
}

void model_mmu_walk(struct model_mmu *mmu, uint64_t va, const struct model_walk *walk)
{
	struct mmu_counts *c = &mmu->counts;
	uint64_t cycles = 0;
	unsigned refs;

	BUG_ON(!walk->mapped);
	finish_data(mmu);
	mmu_prefetch_line(mmu, walk->pa);
	refs = mmu_read_walk(mmu, walk, &cycles);
	c->walk_cycles += cycles;
	c->translation_cycles += cycles;
	c->accesses++;
	c->walks++;
	c->refs += refs;
	c->skipped += walk->nr - refs;
	c->with[refs < MODEL_REFS_MAX ? refs : MODEL_REFS_MAX]++;
	if (mmu->shape.nr_tlbs && mmu->shape.tlb[mmu->shape.nr_tlbs - 1].level == 2)
		c->translation_cycles += mmu->shape.tlb2_cycles;
	fill_tlb(mmu, 1, va, walk->pa, walk->page_shift);
	fill_tlb(mmu, 2, va, walk->pa, walk->page_shift);
	load_data(mmu, walk->pa);
}

static int init_arrays(struct model_mmu *mmu)
{
	const struct mmu_shape *s = &mmu->shape;
	int r = assoc_init(&mmu->nested, &s->nested);

	if (r == 0)
		r = assoc_init(&mmu->check, &s->check);
	for (size_t i = 0; r == 0 && i < s->nr_tlbs; i++)
		r = assoc_init(&mmu->tlb[i], &s->tlb[i].array);
	for (size_t i = 0; r == 0 && i < s->nr_pwcs; i++)
		r = assoc_init(&mmu->pwc[i], &s->pwc[i].array);
	for (size_t i = 0; r == 0 && i < s->nr_caches; i++)
		r = lines_fit(&s->cache[i].array) ? lines_init(&mmu->narrow[i], &s->cache[i].array)
		                                  : assoc_init(&mmu->wide[i], &s->cache[i].array);
	return r;
}

struct model_mmu *model_mmu_new(const struct mmu_shape *shape)
{
	struct model_mmu *mmu = calloc(1, sizeof(*mmu));

	if (!mmu)
		return NULL;
	mmu->shape = *shape;
	memset(mmu->pwc_of, MMU_NO_PWC, sizeof(mmu->pwc_of));
	for (size_t i = 0; i < shape->nr_pwcs; i++)
		for (int d = 0; d < MODEL_NR_DIMENSIONS; d++)
			for (int level = 1; level < SHAPE_LEVELS; level++)
				if (shape->pwc[i].dimensions >> d & 1 && shape->pwc[i].levels >> level & 1)
					mmu->pwc_of[d][level] = (uint8_t)i;
	for (int level = 1; level <= MMU_TLB_LEVELS; level++)
		for (int page_shift = 0; page_shift < MMU_SHIFTS; page_shift++)
			mmu->fill[level - 1][page_shift] = fill_of(shape, level, page_shift);
	if (init_arrays(mmu) == 0)
		return mmu;
	model_mmu_free(mmu);
	return NULL;
}

void model_mmu_free(struct model_mmu *mmu)
{
	if (!mmu)
		return;
	for (size_t i = 0; i < SHAPE_TLBS; i++)
		assoc_destroy(&mmu->tlb[i]);
	for (size_t i = 0; i < SHAPE_PWCS; i++)
		assoc_destroy(&mmu->pwc[i]);
	for (size_t i = 0; i < SHAPE_CACHES; i++) {
		lines_destroy(&mmu->narrow[i]);
		assoc_destroy(&mmu->wide[i]);
	}
	assoc_destroy(&mmu->nested);
	assoc_destroy(&mmu->check);
	line_set_free(&mmu->lines);
	free(mmu);
}

const struct mmu_counts *model_mmu_counts(struct model_mmu *mmu)
{
	finish_data(mmu);
	return &mmu->counts;
}

uint64_t model_mmu_lines(const struct model_mmu *mmu)
{
	return mmu->lines.failed ? 0 : mmu->lines.nr;
}

void model_mmu_forget_counts(struct model_mmu *mmu)
{
	finish_data(mmu);
	mmu->counts = (struct mmu_counts){0};
}

unsigned mmu_counts_percentile(const struct mmu_counts *counts, double share)
{
	uint64_t below = 0;

	for (unsigned n = 0; n <= MODEL_REFS_MAX && counts->walks; n++) {
		below += counts->with[n];
		if ((double)below >= share * (double)counts->walks)
			return n;
	}
	return 0;
}
