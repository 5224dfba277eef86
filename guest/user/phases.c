/* SPDX-License-Identifier: MIT */
/*
 * phases [INIT [STEADY [AGAIN]]]: a guest whose behaviour changes. First come INIT rounds. Each takes from 64 pages the
 * right to write, reads them, gives it back, writes them, and lets another process run. Then come STEADY million loads
 * of a pointer chase over pages of 4 KiB, without a system call. Then come AGAIN rounds as at first. Prints the TSC
 * ticks of each phase on one line, word by word: each when its phase is over, so that a reader can take times too.
 *
 * `phases peer ADDRESS` is the other process. It yields until the word at ADDRESS is not zero.
 */
#include "chase_core.h"
#include "user.h"

#define INIT_ROUNDS  200
#define STEADY_LOADS 150 /* million */
#define RING_PAGES   8192
#define ROUND_PAGES  64
#define ROUND_BYTES  (ROUND_PAGES * PAGE_BYTES)
#define MILLION      1000000

static int peer(const char *address)
{
	uint64_t at;

	if (!parse_number(address, &at))
		return 2;
	while (!*(volatile uint64_t *)at)
		yield();
	return 0;
}

/* Each call changes ROUND_PAGES entries and flushes each address: an emulated instruction or two in nested mode, a trap
 * in shadow mode. */
static void init_round(volatile char *at)
{
	mprotect(at, ROUND_BYTES, 0);
	for (uint64_t i = 0; i < ROUND_PAGES; i++)
		(void)at[i * PAGE_BYTES];
	mprotect(at, ROUND_BYTES, PROT_W);
	for (uint64_t i = 0; i < ROUND_PAGES; i++)
		at[i * PAGE_BYTES] = i;
	yield();
}

/* The TSC ticks of so many rounds. */
static uint64_t init_phase(volatile char *at, uint64_t rounds)
{
	const uint64_t before = chase_tsc();

	for (; rounds; rounds--)
		init_round(at);
	return chase_tsc() - before;
}

static uint64_t steady_phase(void **ring, uint64_t loads)
{
	const uint64_t before = chase_tsc();

	chase_walk(ring, loads);
	return chase_tsc() - before;
}

/* A process on this CPU that yields until the word is not zero. NULL: it did not start. */
static volatile uint64_t *start_peer(void)
{
	const int64_t end = mmap(PAGE_BYTES, MMAP_SHARED);
	char args[40];

	format(args, sizeof(args), "phases peer 0x%x", (uint64_t)end);
	return end < 0 || spawn(args, SPAWN_HERE) < 0 ? NULL : (volatile uint64_t *)end;
}

static int run(uint64_t init, uint64_t steady, uint64_t again)
{
	const int64_t arena = mmap(RING_PAGES * PAGE_BYTES, 0), pages = mmap(ROUND_BYTES, 0);
	volatile uint64_t *const end = start_peer();
	void **ring;

	if (arena < 0 || pages < 0 || !end) {
		print("phases: no memory for %u pages: give the machine more\n", (uint64_t)RING_PAGES);
		return 1;
	}
	ring = chase_build((void *)arena, RING_PAGES, CHASE_SPARSE, 1);
	print("phases");
	print(" init=%u", init_phase((volatile char *)pages, init));
	print(" steady=%u", steady_phase(ring, steady * MILLION));
	print(" again=%u\n", init_phase((volatile char *)pages, again));
	*end = 1;
	return wait() < 0;
}

int phases_main(int argc, char **argv)
{
	uint64_t n[] = {INIT_ROUNDS, STEADY_LOADS, 0};

	if (argc == 3 && same(argv[1], "peer"))
		return peer(argv[2]);
	for (int i = 1; i < argc; i++)
		if (argc > 4 || !parse_number(argv[i], &n[i - 1])) {
			print("usage: phases [INIT [STEADY [AGAIN]]]\n");
			return 2;
		}
	return run(n[0], n[1], n[2]);
}
