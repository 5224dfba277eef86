/* SPDX-License-Identifier: MIT */
/*
 * chase PAGES[,PAGES...] LOADS 4k|2m [SEED]: a pointer chase over one arena. Prints a line for each number of pages and
 * each kind of ring (chase_core.h).
 */
#include "chase_core.h"

#include "user.h"

#define MAX_SIZES 32

static int usage(void)
{
	print("usage: chase PAGES[,PAGES...] LOADS 4k|2m [SEED]\n");
	return 2;
}

/* Splits at the commas, in place. -1: a part is not a number above 1. */
static int parse_sizes(char *list, uint64_t *sizes)
{
	int n = 0;

	for (char *p = list;; p++) {
		char c = *p;

		if (c && c != ',')
			continue;
		*p = 0;
		if (n == MAX_SIZES || !parse_number(list, &sizes[n]) || sizes[n++] < 2)
			return -1;
		if (!c)
			return n;
		list = p + 1;
	}
}

/* For a sparse ring it also prints the references of a walk, if the VMM knows them. */
static void measure(void *arena, uint64_t pages, enum chase_kind kind, const char *page, uint64_t loads, uint64_t seed)
{
	static struct gnomon_walks w __attribute__((aligned(64)));
	const uint64_t tsc = chase_measure(arena, pages, kind, loads, seed);
	char refs[32] = "";

	if (kind == CHASE_SPARSE && walks(&w, arena, pages * PAGE_BYTES) == 0 && w.pages)
		format(refs, sizeof(refs), " refs=%u-%u", (uint64_t)w.low, (uint64_t)w.high);
	print("chase pages=%u kind=%s page=%s loads=%u tsc=%u%s\n", pages, kind == CHASE_SPARSE ? "sparse" : "dense",
	      page, (loads + 15) / 16 * 16, tsc, refs);
}

int chase_main(int argc, char **argv)
{
	uint64_t sizes[MAX_SIZES], loads, seed = 1, most = 0;
	bool huge = argc > 3 && same(argv[3], "2m");
	int64_t arena;
	int n;

	if (argc < 4 || argc > 5 || !(huge || same(argv[3], "4k")) || !parse_number(argv[2], &loads) || !loads ||
	    (argc == 5 && !parse_number(argv[4], &seed)) || (n = parse_sizes(argv[1], sizes)) < 0)
		return usage();
	for (int i = 0; i < n; i++)
		if (sizes[i] > most)
			most = sizes[i];
	arena = mmap(most * PAGE_BYTES, huge ? MMAP_HUGE : 0);
	if (arena < 0) {
		print("chase: no memory for %u pages: give the machine more\n", most);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		measure((void *)arena, sizes[i], CHASE_SPARSE, argv[3], loads, seed);
		measure((void *)arena, sizes[i], CHASE_DENSE, argv[3], loads, seed);
	}
	return 0;
}
