/* SPDX-License-Identifier: MIT */
/*
 * sweep MIB: writes a word into each page of MIB, which is its working set, and then reads these words in turn for ever.
 * Prints a dot for each STEP pages, and ends a line with each round. So whoever starts the guest again sees when it runs,
 * by its first dot, and when it has touched all of the set, by its second end of a line. Ends only when it finds damage.
 */
#include "user.h"

#define MIB        (1ull << 20)
#define HUGE_BYTES (2 * MIB)
#define STEP       64
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))

static uint64_t pattern(uint64_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15;
}

/* False: it has printed what is wrong. */
static bool read_all(const volatile uint64_t *at, uint64_t pages)
{
	for (uint64_t page = 0; page < pages; page++) {
		if (at[page * PAGE_WORDS] != pattern(page)) {
			print("sweep: damaged: page %u\n", page);
			return false;
		}
		if (page % STEP == STEP - 1)
			print(".");
	}
	print("\n");
	return true;
}

int sweep_main(int argc, char **argv)
{
	uint64_t mib, pages;
	int64_t at;

	if (argc != 2 || !parse_number(argv[1], &mib) || !mib || mib % (HUGE_BYTES / MIB)) {
		print("usage: sweep MIB, a multiple of 2\n");
		return 2;
	}
	pages = mib * MIB / PAGE_BYTES;
	at = mmap(mib * MIB, MMAP_HUGE);
	if (at < 0) {
		print("sweep: no memory for %u MiB: give the machine more\n", mib);
		return 1;
	}
	for (uint64_t page = 0; page < pages; page++)
		((volatile uint64_t *)at)[page * PAGE_WORDS] = pattern(page);
	while (read_all((const volatile uint64_t *)at, pages))
		;
	return 1;
}
