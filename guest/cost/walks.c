/* SPDX-License-Identifier: MIT */
/*
 * Rows whose page walks an emulator counts from outside (include/gnomon/walk_counter.h). Loads go along a ring with a
 * line in each page except the first of every 2 MiB. The ring is mapped by 4 KiB pages or by 2 MiB ones, and has more
 * pages than any TLB has entries: each load is a walk.
 *
 *   holes    the first page of each 2 MiB went into the balloon
 *   joined   and came back, and was used
 */
#include "walks.h"

#include <gnomon/abi.h>
#include <gnomon/walk_counter.h>

#include "balloon.h"
#include "chase_core.h"
#include "cost.h"

#define PAGES  512 /* of a block of 2 MiB */
#define BLOCKS 8
#define BYTES  (BLOCKS * PAGES * CHASE_PAGE)
#define RING   (BLOCKS * (PAGES - 1)) /* lines */

static uint64_t arena;
static void **ring;

static void **line(uint64_t i)
{
	return chase_line((void *)arena, i / (PAGES - 1) * PAGES + 1 + i % (PAGES - 1), CHASE_SPARSE);
}

static void touch_every(uint64_t step)
{
	for (uint64_t i = 0; i < BYTES; i += step)
		*(volatile uint8_t *)(arena + i) = 1;
}

/* One random cycle through all lines (Sattolo), and a lap. */
static void prepare(uint64_t at)
{
	uint64_t state = 1;

	arena = at;
	touch_every(CHASE_PAGE);
	for (uint64_t i = 0; i < RING; i++)
		*line(i) = line(i);
	for (uint64_t i = RING - 1; i > 0; i--) {
		void **a = line(i), **b = line(chase_random(&state) % i), *t = *a;

		*a = *b;
		*b = t;
	}
	ring = chase_walk(line(0), RING);
}

static void make_holes(void)
{
	holes_make(BLOCKS);
	ring = chase_walk(ring, RING);
}

static void join(void)
{
	make_holes();
	holes_fill(BLOCKS);
	touch_every(PAGES * CHASE_PAGE);
	ring = chase_walk(ring, RING);
}

void prepare_walks_4k(uint32_t most)
{
	cost_map_region(BLOCKS);
	prepare(COST_REGION);
}

void prepare_walks_4k_holes(uint32_t most)
{
	prepare_walks_4k(most);
	make_holes();
}

void prepare_walks_4k_joined(uint32_t most)
{
	prepare_walks_4k(most);
	join();
}

void prepare_walks_2m(uint32_t most)
{
	prepare(COST_FRAMES);
}

void prepare_walks_2m_holes(uint32_t most)
{
	prepare_walks_2m(most);
	make_holes();
}

void prepare_walks_2m_joined(uint32_t most)
{
	prepare_walks_2m(most);
	join();
}

void run_walks(uint32_t from, uint32_t n)
{
	walk_start((void *)arena, BYTES);
	ring = chase_walk(ring, n);
	walk_stop();
}

bool check_walks(uint32_t n)
{
	static struct gnomon_walks w __attribute__((aligned(64)));
	char text[192], *p;

	w = (struct gnomon_walks){.version = GNOMON_ABI_VERSION, .first = arena, .bytes = BYTES};
	__asm__ volatile("outl %%eax, %%dx" : : "a"((uint32_t)(uint64_t)&w), "d"(GNOMON_PORT_WALKS) : "memory");
	p = cost_put_number(text, "walks pages=", w.pages);
	p = cost_put_number(p, " low=", w.low);
	p = cost_put_number(p, " high=", w.high);
	p = cost_put_number(p, " sum_low=", w.sum_low);
	p = cost_put_number(p, " sum_high=", w.sum_high);
	*p++ = '\n';
	*p = 0;
	cost_say(text);
	return check_balloon(n);
}
