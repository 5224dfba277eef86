/* SPDX-License-Identifier: MIT */
/*
 * fill MIB BELOW [STEP]: each time that the balloon leaves less than BELOW MiB free, takes MIB in 2 MiB pages, or what
 * there is. Writes one word in STEP, reads the words back and frees the memory. Ends only when it finds damage.
 */
#include "user.h"

#define MIB        (1ull << 20)
#define HUGE_BYTES (2 * MIB)
#define STEP       64 /* words, unless said otherwise */

static uint64_t pattern(uint64_t word)
{
	return word * 0x9e3779b97f4a7c15;
}

/* How many bytes it got in one piece, at `ret_at`. */
static uint64_t take(uint64_t size, uint64_t **ret_at)
{
	uint64_t taken;

	for (taken = 0; taken < size; taken += HUGE_BYTES) {
		const int64_t at = mmap(HUGE_BYTES, MMAP_HUGE);

		if (at < 0)
			break;
		if (taken == 0)
			*ret_at = (uint64_t *)at;
	}
	return taken;
}

/* False: it has printed what is wrong. */
static bool use(uint64_t *at, uint64_t size, uint64_t step)
{
	for (uint64_t i = 0; i < size / sizeof(*at); i += step) {
		/* Before any read: a read makes the host map its page of zeroes, and then another. */
		at[i] = pattern(i);
		if (at[i + 1]) {
			print("fill: damaged: word %u of fresh memory is not zero\n", i + 1);
			return false;
		}
	}
	for (uint64_t i = 0; i < size / sizeof(*at); i += step) {
		if (at[i] != pattern(i)) {
			print("fill: damaged: word %u has changed\n", i);
			return false;
		}
	}
	return true;
}

static void wait_until(bool below, uint64_t bytes)
{
	while ((free_pages() * PAGE_BYTES < bytes) != below)
		for (int i = 0; i < 100000; i++)
			__builtin_ia32_pause(); /* so that others get the kernel's lock */
}

int fill_main(int argc, char **argv)
{
	uint64_t mib, below, taken, step = STEP, *at = NULL;

	if (argc < 3 || argc > 4 || !parse_number(argv[1], &mib) || !parse_number(argv[2], &below) ||
	    (argc == 4 && (!parse_number(argv[3], &step) || step < 2))) {
		print("usage: fill MIB BELOW [STEP]\n");
		return 2;
	}
	for (;;) {
		print("fill: ready\n");
		wait_until(true, below * MIB);
		taken = take(mib * MIB, &at);
		if (!use(at, taken, step))
			return 1;
		if (taken)
			munmap(at, taken);
		print("fill: %u of %u MiB right\n", taken / MIB, mib);
		wait_until(false, below * MIB);
	}
}
