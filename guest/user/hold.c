/* SPDX-License-Identifier: MIT */
/*
 * hold KEEP LOOSE: checks that the balloon takes nothing that is in use. Touches LOOSE MiB and frees them. Then every
 * CPU checks in rounds that its part of KEEP MiB still has its pattern, and that fresh pages are zero. When the balloon
 * has taken LOOSE MiB and given them back, uses them again. Ends only when it finds damage.
 */
#include "user.h"

#define MIB          (1ull << 20)
#define FRESH_PAGES  60 /* of all CPUs, in each round. So few that they are freed frames again */
#define WORDS        (PAGE_BYTES / sizeof(uint64_t))
#define HELPERS_TURN 64 /* rounds */
#define HUGE_BYTES   (2 * MIB)

static uint64_t pattern(uint64_t word)
{
	return word * 0x9e3779b97f4a7c15;
}

static int damaged(const char *what, uint64_t word)
{
	print("hold: damaged: %s, word %u\n", what, word);
	return 1;
}

/* Takes some pages, if the balloon has left any, expects zeroes, writes, frees. The word that was not zero, or -1. */
static int64_t check_fresh(void)
{
	const uint64_t pages = FRESH_PAGES / cpus();
	int64_t at = mmap(pages * PAGE_BYTES, 0);
	uint64_t *word = (uint64_t *)at;

	if (at < 0)
		return -1;
	for (uint64_t i = 0; i < pages * WORDS; i++) {
		if (word[i])
			return i;
		word[i] = ~0ull;
	}
	munmap(word, pages * PAGE_BYTES);
	return -1;
}

/* Takes `size` bytes, expects zeroes, touches each page, frees them. False: there is less, or there is damage. */
static bool use(uint64_t size)
{
	int64_t at = mmap(size, MMAP_HUGE);

	if (at < 0)
		return false;
	for (uint64_t i = 0; i < size; i += PAGE_BYTES) {
		volatile uint64_t *word = (volatile uint64_t *)(at + i);

		/* Before any read: a read makes the host map its page of zeroes, and then another. */
		word[0] = i + 1;
		if (word[1] || word[WORDS - 1]) {
			damaged("a page that was taken is not zero", i / sizeof(*word));
			return false;
		}
		word[WORDS - 1] = i + 1;
	}
	return munmap((void *)at, size) == 0;
}

/* Uses the memory again once the balloon has given it back. */
static void use_again(uint64_t size)
{
	static bool gone;

	if (free_pages() * PAGE_BYTES < size) {
		gone = true;
	} else if (gone && use(size)) {
		gone = false;
		print("hold: used %u MiB again\n", size / MIB);
	}
}

/* Waits until all other CPUs have done so many rounds. */
static void wait_for_others(const volatile uint64_t *rounds, uint64_t round)
{
	const int64_t nr = cpus(), self = cpu();

	for (int64_t i = 0; i < nr; i++)
		while (i != self && rounds[i] < round)
			__builtin_ia32_pause();
}

/* Starts a helper on each other CPU. A helper counts its rounds in the shared page. 0 or -errno. */
static int64_t start_others(const char *keep, const volatile uint64_t *rounds)
{
	const int64_t nr = cpus(), self = cpu();
	char line[64];
	int64_t r = 0;

	format(line, sizeof(line), "hold %s 0 %u", keep, (uint64_t)rounds);
	for (int64_t i = 0; r >= 0 && i < nr; i++)
		if (i != self)
			r = spawn(line, i);
	return r;
}

static int check_for_ever(uint64_t *kept, uint64_t size, uint64_t loose, volatile uint64_t *rounds)
{
	const int64_t self = cpu();

	for (uint64_t round = 1;; round++) {
		/* The helpers do it seldom. Where KVM shadows in software, their kernel time holds up all others. */
		const int64_t dirty = loose || round % HELPERS_TURN == 0 ? check_fresh() : -1;

		if (dirty >= 0)
			return damaged("a fresh page is not zero", dirty);
		for (uint64_t i = 0; i < size / sizeof(*kept); i++)
			if (kept[i] != pattern(i))
				return damaged("the pattern is gone", i);
		rounds[self] = round;
		if (!loose)
			continue;
		wait_for_others(rounds, round);
		use_again(loose);
		print("hold: round %u\n", round);
	}
}

static int no_memory(void)
{
	print("hold: no memory: give the machine more\n");
	return 1;
}

/* Helpers get a third number, the address of the shared page. */
int hold_main(int argc, char **argv)
{
	uint64_t keep, loose, rounds = 0, size;
	const bool helper = argc == 4;
	int64_t kept;

	if (argc < 3 || argc > 4 || !parse_number(argv[1], &keep) || !parse_number(argv[2], &loose) || !keep ||
	    !loose != helper || (helper && !parse_number(argv[3], &rounds))) {
		print("usage: hold KEEP LOOSE\n");
		return 2;
	}
	size = (keep * MIB / cpus() + HUGE_BYTES - 1) & -HUGE_BYTES;
	kept = mmap(size, MMAP_HUGE);
	if (kept < 0)
		return no_memory();
	for (uint64_t i = 0; i < size / sizeof(uint64_t); i++)
		((uint64_t *)kept)[i] = pattern(i);
	if (!helper) {
		const int64_t page = mmap(PAGE_BYTES, MMAP_SHARED);

		rounds = page;
		if (page < 0 || start_others(argv[1], (uint64_t *)page) < 0)
			return no_memory();
		wait_for_others((uint64_t *)page, 1); /* all have their part of KEEP */
		if (!use(loose * MIB))
			return no_memory();
	}
	return check_for_ever((uint64_t *)kept, size, loose * MIB, (volatile uint64_t *)rounds);
}
