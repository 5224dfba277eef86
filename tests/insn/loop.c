/* SPDX-License-Identifier: MIT */
/* The program: runs the cases one by one and looks at what each has left. General registers only: FPU and vector state
 * belong to the cases. */
#include <stdbool.h>

#include "insn.h"

#define MIX       0x9e3779b97f4a7c15 /* 2^64 / golden ratio */
#define PAGE_SIZE 4096
#define MAX_BATCH 256
#define FOP       0xffff000000000000 /* in the first word of the save area */
#define MXCSR     0x00000000ffffffff /* in the fourth */

static uint64_t hashes[MAX_BATCH];
static unsigned nr_hashes;
static struct insn_result result;
static bool planted;

static void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * MIX;
	*hash ^= *hash >> 29;
}

/* What is in `value` stays, but for the ignored bytes, which are taken from `other`. */
static uint64_t ignore(const struct insn_case *c, uint64_t at, uint64_t value, uint64_t other)
{
	for (unsigned i = 0; i < 8; i++)
		if (at + i - c->ignore_at < c->ignore_len)
			value = (value & ~(0xffull << 8 * i)) | (other & (0xffull << 8 * i));
	return value;
}

static void put_patch(const struct insn_case *c)
{
	if (!c->patch_at)
		return;
	for (unsigned i = 0; i < 8; i++)
		*(volatile uint64_t *)(c->patch_at + 8 * i) = c->patch[i];
}

/* Compares the pages under test with what they were, records what is different, and puts it right. */
static void collect_page(const struct block *b, const struct insn_case *c, unsigned page, uint64_t *hash)
{
	const uint64_t *old = (const void *)((const char *)b + b->pages_at + page * PAGE_SIZE);
	volatile uint64_t *now = (volatile uint64_t *)(WINDOW_LOW + (uint64_t)page * PAGE_SIZE);

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
		const uint64_t at = (uint64_t)&now[i], value = now[i];
		uint64_t counts;

		if (value == old[i])
			continue;
		counts = c->ignore_len ? ignore(c, at, value, old[i]) : value;
		if (counts != old[i]) {
			mix(hash, at);
			mix(hash, counts);
			if (result.changes < CHANGES)
				result.change[result.changes] = (struct change){at, counts};
			result.changes++;
		}
		if (page_kinds[page] == PAGE_RW)
			now[i] = old[i];
	}
}

static void collect_memory(const struct block *b, const struct insn_case *c, uint64_t *hash)
{
	result.changes = 0;
	for (unsigned page = 0; page < TEST_PAGES; page++)
		if (page_kinds[page] == PAGE_RW || page_kinds[page] == PAGE_RO)
			collect_page(b, c, page, hash);
}

/* x87, XMM and what `b` names. Not the pointers to the last x87 instruction, which CPUs forget when tasks change. */
static void collect_fpu(const struct block *b, uint64_t *hash)
{
	uint64_t *area = (uint64_t *)(void *)saved_fpu;

	area[0] &= ~FOP;
	area[1] = area[2] = 0;
	area[3] &= MXCSR;
	mix(hash, area[0]);
	mix(hash, area[3]);
	for (unsigned i = 4; i < 52; i++)
		mix(hash, area[i]);
	for (unsigned r = 0; r < FPU_RANGES; r++)
		for (unsigned i = 0; i < b->fpu_range[r].len / 8; i++)
			mix(hash, area[b->fpu_range[r].at / 8 + i]);
}

static void collect_segments(const struct block *b, struct trapped *t)
{
	uint16_t ds, es, fs, gs;

	__asm__ volatile("mov %%ds, %0\n mov %%es, %1\n mov %%fs, %2\n mov %%gs, %3"
	                 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	t->selectors = ds | (uint64_t)es << 16 | (uint64_t)fs << 32 | (uint64_t)gs << 48;
	if (b->fsgsbase)
		__asm__ volatile("rdfsbase %0\n rdgsbase %1" : "=r"(t->fs_base), "=r"(t->gs_base));
	__asm__ volatile("mov %0, %%ds\n mov %0, %%es\n mov %0, %%fs\n mov %0, %%gs" : : "r"(0));
	service(SERVICE_BASES, NULL, 0);
}

/* Falsifies what came, once. Before memory is looked at. */
static void plant(const struct block *b, uint32_t index, struct trapped *t)
{
	const bool page_fault = t->vector == 14;

	if (planted || index < b->plant_from || ((b->plant == PLANT_ERROR || b->plant == PLANT_CR2) && !page_fault))
		return;
	planted = true;
	switch (b->plant) {
	case PLANT_FLAG:
		t->rflags ^= 1;
		break;
	case PLANT_REGISTER:
		t->gpr[10] ^= 1ull << 40;
		break;
	case PLANT_ERROR:
		t->error ^= 2;
		break;
	case PLANT_VECTOR:
		t->vector = t->vector == 13 ? 6 : 13;
		break;
	case PLANT_RIP:
		t->rip++;
		break;
	case PLANT_CR2:
		t->cr2 ^= 8;
		break;
	case PLANT_MEMORY:
		*(volatile uint8_t *)(WINDOW_LOW + PAGE_DATA * PAGE_SIZE + 1234) ^= 0x10;
		break;
	case PLANT_VECTOR_REGISTER:
		saved_fpu[160 + 16 * 5 + 3] ^= 0x80;
		break;
	case PLANT_FALL:
		service(SERVICE_FALL, NULL, 0);
		break;
	default:
		break;
	}
}

static void print_hashes(void)
{
	if (nr_hashes)
		service(SERVICE_PRINT, hashes, nr_hashes * sizeof(*hashes));
	nr_hashes = 0;
}

static void collect(const struct block *b, uint32_t index)
{
	const struct insn_case *c = (const void *)((const char *)b + b->cases_at + index * sizeof(*c));
	const uint64_t *word = (const uint64_t *)&trapped;
	uint64_t hash = c->slot;

	trapped.selectors = trapped.fs_base = trapped.gs_base = 0;
	if (c->how & HOW_SEGMENTS)
		collect_segments(b, &trapped);
	trapped.rflags &= c->flags_mask;
	if (b->plant)
		plant(b, index, &trapped);
	for (unsigned i = 0; i < sizeof(trapped) / 8; i++)
		mix(&hash, word[i]);
	collect_fpu(b, &hash);
	collect_memory(b, c, &hash);
	hashes[nr_hashes++] = hash;
	if (nr_hashes == b->batch || c->how & HOW_DETAIL)
		print_hashes();
	if (c->how & HOW_DETAIL) {
		const uint64_t *from = (const uint64_t *)(const void *)saved_fpu;
		uint64_t *to = (uint64_t *)(void *)result.fpu;

		result.trapped = trapped;
		for (unsigned i = 0; i < FPU_BYTES / 8; i++)
			to[i] = from[i];
		service(SERVICE_PRINT, &result, sizeof(result));
	}
}

void insn_loop(const struct block *b, uint64_t fsgsbase)
{
	const struct hello hello = {.magic = BLOCK_MAGIC, .xcr0 = try_xgetbv(), .fsgsbase = fsgsbase};

	service(SERVICE_PRINT, &hello, sizeof(hello));
	for (uint32_t i = 0; i < b->count; i++) {
		const struct insn_case *c = (const void *)((const char *)b + b->cases_at + i * sizeof(*c));

		if (c->how & HOW_SKIP)
			continue;
		put_patch(c);
		if (c->how & HOW_FLUSH)
			service(SERVICE_FLUSH, NULL, 0);
		if (c->how & HOW_FORMER)
			service(SERVICE_FORMER, NULL, 0);
		if (b->touch)
			(void)*(volatile uint64_t *)b->touch;
		enter_case(c, (const char *)b + b->fpu_at + (uint64_t)c->fpu * FPU_BYTES, b->xfeatures);
		collect(b, i);
	}
	print_hashes();
	service(SERVICE_END, NULL, 0);
	__builtin_unreachable();
}
