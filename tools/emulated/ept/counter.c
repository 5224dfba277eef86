/* SPDX-License-Identifier: MIT */
/*
 * The walk counter. Bochs has no page-walk cache, and a TLB miss walks from the root; it tells of each table entry that
 * it reads, in order:
 *
 *   one dimension    PML4E PDPTE PDE PTE, less what a large page or a refusal leaves out
 *   two dimensions   before each of them the second stage's own PML4E PDPTE PDE PTE, and once more for the data
 *
 * Nothing says where a walk ends. It ended when its translation is used (by an access to a linear address that ends in
 * the frame it found), and when an exception or a violation refuses it. When the next one begins, it waits: for an access
 * that crosses two pages Bochs walks twice before it tells of the first half. Code is fetched without such an access.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bochs.h"

#include <gnomon/walk_counter.h>

#define ENTRY_PS    0x80ull
#define ENTRY_FRAME 0x000ffffffffff000ull

/* What a CPU walks now. */
struct walk {
	unsigned reads;
	uint8_t read[WALK_NR_TABLES];
	bool second; /* it has read a table of the second stage */
	bool leaf;   /* the first stage has come to its leaf: what the second reads now is for the data */
	bool data;   /* ... and it has begun */
	uint64_t frame, frame_bytes; /* of the last leaf, of either stage */
};

static struct walk walks[BOCHS_CPUS];
static struct walk waiting[BOCHS_CPUS]; /* the one before it: complete, and not used yet */
static struct walk_counts counts = {.magic = WALK_MAGIC, .size = sizeof(counts)};
static uint64_t first, bytes;
static int bounds_due; /* hints of the range that are still to come */
static unsigned counting_cpu;
static uint32_t next_word;

static void end_walk(struct walk *w, enum walk_end end)
{
	const unsigned reads = w->reads < WALK_MAX_READS ? w->reads : WALK_MAX_READS;

	if (w->reads && counts.running) {
		counts.walks[end][w->second][reads]++;
		for (int i = 0; i < WALK_NR_TABLES; i++)
			counts.reads[end][i] += w->read[i];
	}
	*w = (struct walk){0};
}

/* Another walk begins at a root: at the second stage's when the last walk has all it needs, at the first stage's when
 * there is no second one. */
static bool begins(const struct walk *w, enum walk_table table)
{
	if (table == WALK_SECOND_PML4E)
		return w->data || (w->leaf && !w->second);
	return table == WALK_PML4E && !w->second;
}

static bool complete(const struct walk *w)
{
	return w->leaf && w->data == w->second;
}

static bool found(const struct walk *w, uint64_t physical)
{
	return complete(w) && physical - w->frame < w->frame_bytes;
}

void counter_table_access(unsigned cpu, unsigned why, int write, uint64_t value)
{
	const enum walk_table table = why - BOCHS_PTE;
	const bool second = table >= WALK_SECOND_PTE;
	const unsigned level = table % WALK_SECOND_PTE; /* 0: PTE */
	struct walk *w = &walks[cpu];

	if (!counts.running)
		return;
	if (write) {
		counts.writes[table]++;
		return;
	}
	if (begins(w, table)) {
		end_walk(&waiting[cpu], WALK_OTHER);
		if (complete(w))
			waiting[cpu] = *w, *w = (struct walk){0};
		else
			end_walk(w, WALK_OTHER);
	}
	w->reads++;
	w->read[table]++;
	w->second |= second;
	w->data |= w->leaf && second;
	if (level != 0 && (level == 3 || !(value & ENTRY_PS)))
		return;
	w->leaf |= !second;
	w->frame_bytes = 4096ull << 9 * level;
	w->frame = value & ENTRY_FRAME & -w->frame_bytes;
}

void counter_translated(unsigned cpu, uint64_t linear, uint64_t physical)
{
	const enum walk_end end = linear - first < bytes ? WALK_WANTED : WALK_OTHER;

	if (found(&walks[cpu], physical))
		end_walk(&walks[cpu], end);
	else
		end_walk(&waiting[cpu], found(&waiting[cpu], physical) ? end : WALK_OTHER);
}

void counter_refused(unsigned cpu)
{
	end_walk(&walks[cpu], WALK_DENIED);
}

#define EXIT_EPT_VIOLATION        48
#define EXIT_EPT_MISCONFIGURATION 49

void counter_exit(unsigned cpu, unsigned reason)
{
	if (!counts.running)
		return;
	reason &= 0xffff;
	counts.exits[reason < WALK_NR_EXITS ? reason : WALK_NR_EXITS - 1]++;
	end_walk(&walks[cpu],
	         reason == EXIT_EPT_VIOLATION || reason == EXIT_EPT_MISCONFIGURATION ? WALK_DENIED : WALK_OTHER);
}

static void start(unsigned cpu)
{
	const uint32_t intervals = counts.intervals;

	memset(&counts, 0, sizeof(counts));
	memset(walks, 0, sizeof(walks));
	memset(waiting, 0, sizeof(waiting));
	counts.magic = WALK_MAGIC;
	counts.size = sizeof(counts);
	counts.intervals = intervals + 1;
	first = bytes = 0;
	bounds_due = 2;
	counting_cpu = cpu;
}

static void take_bound(uint64_t linear)
{
	if (bounds_due == 2) {
		first = linear;
	} else {
		bytes = linear - first;
		counts.running = 1;
	}
	bounds_due--;
}

void counter_hint(unsigned cpu, uint64_t linear)
{
	if (linear == WALK_MARK_START)
		start(cpu);
	else if (linear == WALK_MARK_STOP)
		counts.running = 0;
	else if (bounds_due && cpu == counting_cpu)
		take_bound(linear);
}

void counter_select(uint32_t word)
{
	next_word = word;
}

uint32_t counter_read(void)
{
	uint32_t value = 0;

	if (next_word < sizeof(counts) / sizeof(value))
		memcpy(&value, (const uint8_t *)&counts + next_word * sizeof(value), sizeof(value));
	next_word++;
	return value;
}
