/* SPDX-License-Identifier: MIT */
/* Lays cases out as the program wants them. */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define CODE_PAGES  (2 * CODE_PAIRS)
#define ALIGN(n)    (((n) + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1))
#define PAGES_AT    PAGE_BYTES
#define FPU_AT      (PAGES_AT + TEST_PAGES * PAGE_BYTES)
#define CASES_AT    (FPU_AT + ALIGN(FPU_IMAGES * FPU_BYTES))
#define CODE_AT     (CASES_AT + ALIGN(BLOCK_CASES * sizeof(struct insn_case)))
#define LANDING_AT  (CODE_AT + CODE_PAGES * PAGE_BYTES)
#define BLOCK_BYTES (LANDING_AT + PAGE_BYTES)
#define BATCH       64

static uint8_t memory[BLOCK_BYTES] __attribute__((aligned(PAGE_BYTES)));

/* AVX and AVX-512 in XSAVE's standard format: where, this CPU says. */
static void find_fpu_ranges(struct block *b)
{
	static const uint8_t components[] = {2, 5, 6, 7};
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(components); i++) {
		uint32_t size, offset, c, d;

		if (!(b->xfeatures >> components[i] & 1))
			continue;
		__cpuid_count(0xd, components[i], size, offset, c, d);
		if (offset + size > FPU_BYTES)
			abort(); /* no CPU that exists */
		b->fpu_range[n].at = offset;
		b->fpu_range[n++].len = size;
	}
}

/* Up to the end of the page, and beyond it where the next one is not a hole. */
static void put_code(const struct generated *gen)
{
	const uint64_t offset = gen->c.rip - CODE_VA, pair = offset / CODE_PAIR, in_pair = offset % CODE_PAIR;

	for (unsigned i = 0; i < gen->length && in_pair + i < 2 * PAGE_BYTES; i++)
		memory[CODE_AT + 2 * pair * PAGE_BYTES + in_pair + i] = gen->bytes[i];
}

/* The same in all blocks of a run. */
static void put_fpu_images(uint64_t seed, uint64_t xfeatures)
{
	static uint64_t seed_there, xfeatures_there;
	static bool any;

	if (any && seed == seed_there && xfeatures == xfeatures_there)
		return;
	memory_fpu_images(seed, xfeatures, (void *)(memory + FPU_AT));
	seed_there = seed;
	xfeatures_there = xfeatures;
	any = true;
}

struct block *block_make(const struct generator *g, const struct generated *cases, unsigned count,
                         const struct abilities *both)
{
	struct block *b = (void *)memory;

	*b = (struct block){.magic = BLOCK_MAGIC,
	                    .count = count,
	                    .batch = BATCH,
	                    .code_pages = CODE_PAGES,
	                    .xfeatures = both->xfeatures,
	                    .fsgsbase = both->fsgsbase,
	                    .touch = LIVE_VA,
	                    .pages_at = PAGES_AT,
	                    .fpu_at = FPU_AT,
	                    .cases_at = CASES_AT,
	                    .code_at = CODE_AT,
	                    .landing_at = LANDING_AT,
	                    .size = BLOCK_BYTES};
	find_fpu_ranges(b);
	memcpy(memory + PAGES_AT, g->pages, sizeof(g->pages));
	put_fpu_images(g->seed, both->xfeatures);
	memset(memory + CODE_AT, INT3, CODE_PAGES * PAGE_BYTES + PAGE_BYTES);
	for (unsigned i = 0; i < count; i++) {
		*block_case(b, i) = cases[i].c;
		put_code(&cases[i]);
	}
	return b;
}

struct insn_case *block_case(struct block *b, unsigned index)
{
	return (struct insn_case *)(void *)((uint8_t *)b + b->cases_at) + index;
}
