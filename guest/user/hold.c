/* SPDX-License-Identifier: MIT */
/*
 * hold KEEP LOOSE: what a balloon must leave alone. Touches LOOSE MiB and gives them back to the kernel; then
 * checks, round after round, that KEEP MiB still hold their pattern and that fresh pages are zero. Never ends but
 * with damage.
 */
#include "user.h"

#define MIB         (1ull << 20)
#define FRESH_PAGES 60 /* taken and given back in each round; so few that freed frames are used again */
#define WORDS       (PAGE_BYTES / sizeof(uint64_t))

static uint64_t pattern(uint64_t word)
{
	return word * 0x9e3779b97f4a7c15;
}

static int damaged(const char *what, uint64_t word)
{
	print("hold: damaged: %s, word %u\n", what, word);
	return 1;
}

/* Some pages, if the balloon has left any: zero, written, given back. The word that was not zero, or -1. */
static int64_t check_fresh(void)
{
	int64_t at = mmap(FRESH_PAGES * PAGE_BYTES, 0);
	uint64_t *word = (uint64_t *)at;

	if (at < 0)
		return -1;
	for (uint64_t i = 0; i < FRESH_PAGES * WORDS; i++) {
		if (word[i])
			return i;
		word[i] = ~0ull;
	}
	munmap(word, FRESH_PAGES * PAGE_BYTES);
	return -1;
}

int hold_main(int argc, char **argv)
{
	uint64_t keep, loose;
	uint64_t *kept;
	int64_t at;

	if (argc != 3 || !parse_number(argv[1], &keep) || !parse_number(argv[2], &loose) || !keep || !loose) {
		print("usage: hold KEEP LOOSE\n");
		return 2;
	}
	at = mmap(loose * MIB, MMAP_HUGE);
	kept = (uint64_t *)mmap(keep * MIB, MMAP_HUGE);
	if (at < 0 || (int64_t)kept < 0) {
		print("hold: no memory: give the machine more\n");
		return 1;
	}
	for (uint64_t i = 0; i < loose * MIB; i += PAGE_BYTES)
		*(volatile uint64_t *)(at + i) = i;
	munmap((void *)at, loose * MIB);
	for (uint64_t i = 0; i < keep * MIB / sizeof(*kept); i++)
		kept[i] = pattern(i);
	for (uint64_t round = 1;; round++) {
		int64_t dirty = check_fresh();

		if (dirty >= 0)
			return damaged("a fresh page is not zero", dirty);
		for (uint64_t i = 0; i < keep * MIB / sizeof(*kept); i++)
			if (kept[i] != pattern(i))
				return damaged("the pattern is gone", i);
		print("hold: round %u\n", round);
	}
}
