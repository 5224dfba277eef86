/* SPDX-License-Identifier: MIT */
/*
 * fork share|copy|both [forks=N] MIB...: how long a fork takes with so much memory, in the same run. For each size and
 * way, in turns: N forks, else three, of which the line names the shortest, in TSC ticks of the parent. The last child
 * sums the memory and writes to it; the parent sums its own afterwards. The line also has the tables that one more
 * process takes, and those and the pages that the writes of both copied.
 */
#include "chase_core.h"
#include "user.h"

#define MIB    (1ull << 20)
#define WORDS  (PAGE_BYTES / 8)
#define FORKS  3
#define MAX    1000
#define WRITES 8 /* pages that the child writes */

static uint64_t pattern(uint64_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15;
}

static uint64_t sum(const uint64_t *at, uint64_t pages)
{
	uint64_t s = 0;

	for (uint64_t i = 0; i < pages; i++)
		s += at[i * WORDS] * (i | 1);
	return s;
}

struct result {
	uint64_t ticks, tables, copied_tables, copied_pages;
};

/* The child of the last round: what it sees is what its parent made, and its writes are seen by itself alone. */
static int child(uint64_t *at, uint64_t pages, uint64_t want)
{
	if (sum(at, pages) != want)
		return 1;
	for (uint64_t i = 0; i < WRITES; i++)
		at[i * (pages / WRITES) * WORDS] = 0;
	return sum(at, pages) == want;
}

/* One fork. The status of the child, or -errno. */
static int64_t fork_once(uint64_t *at, uint64_t pages, int how, bool last, struct result *r)
{
	const uint64_t want = sum(at, pages), tables = count(COUNT_TABLES);
	const uint64_t copied_tables = count(COUNT_TABLES_COPIED), copied_pages = count(COUNT_PAGES_COPIED);
	const uint64_t before = chase_tsc();
	const int64_t id = fork(SPAWN_HERE, how);
	const uint64_t ticks = chase_tsc() - before;
	int64_t status;

	if (id == 0)
		exit(last ? child(at, pages, want) : 0);
	if (id < 0)
		return id;
	r->ticks = ticks < r->ticks ? ticks : r->ticks;
	r->tables = count(COUNT_TABLES) - tables;
	/* Some compilers write to this process's stack in between, which has its tables copied. */
	if (how == FORK_SHARE)
		r->tables -= count(COUNT_TABLES_COPIED) - copied_tables;
	status = wait();
	r->copied_tables = count(COUNT_TABLES_COPIED) - copied_tables;
	r->copied_pages = count(COUNT_PAGES_COPIED) - copied_pages;
	return status < 0 ? status : (status & 0xff) | (sum(at, pages) != want);
}

static int measure(uint64_t *at, uint64_t mib, int how, uint64_t forks)
{
	struct result r = {.ticks = -1ull};

	for (uint64_t i = 1; i <= forks; i++) {
		const int64_t status = fork_once(at, mib * MIB / PAGE_BYTES, how, i == forks, &r);

		if (status != 0) {
			print("fork: %s\n", status == -ENOMEM ? "no memory: give the machine more"
			                    : status < 0      ? "there are too many processes"
			                                      : "the data differ");
			return 1;
		}
	}
	print("fork how=%s mib=%u ticks=%u tables=%u copied-tables=%u copied-pages=%u\n",
	      how == FORK_SHARE ? "share" : "copy", mib, r.ticks, r.tables, r.copied_tables, r.copied_pages);
	return 0;
}

static int size(uint64_t mib, bool share, bool copy, uint64_t forks)
{
	const int64_t at = mmap(mib * MIB, MMAP_APART);
	int failures = 0;

	if (at < 0) {
		print("fork: no memory for %u MiB: give the machine more\n", mib);
		return 1;
	}
	for (uint64_t i = 0; i < mib * MIB / PAGE_BYTES; i++)
		((uint64_t *)at)[i * WORDS] = pattern(i);
	if (share)
		failures += measure((uint64_t *)at, mib, FORK_SHARE, forks);
	if (copy)
		failures += measure((uint64_t *)at, mib, FORK_COPY, forks);
	munmap((void *)at, mib * MIB);
	return failures;
}

/* The word "forks=N", if there is one. False: N is no number of forks. */
static bool take_forks(const char *word, uint64_t *forks, bool *ret_is_there)
{
	static const char name[] = "forks=";
	size_t n = 0;

	while (name[n] && word[n] == name[n])
		n++;
	*ret_is_there = !name[n];
	return name[n] || (parse_number(word + n, forks) && *forks && *forks <= MAX);
}

int fork_main(int argc, char **argv)
{
	const bool both = argc > 2 && same(argv[1], "both");
	const bool share = both || (argc > 2 && same(argv[1], "share")),
	           copy = both || (argc > 2 && same(argv[1], "copy"));
	uint64_t mib, forks = FORKS;
	bool has_forks = false;
	int failures = 0;

	if (argc > 2 && !take_forks(argv[2], &forks, &has_forks))
		argc = 0;
	for (int i = 2 + has_forks; i < argc; i++)
		if (!parse_number(argv[i], &mib) || !mib || mib > 1 << 20)
			argc = 0;
	if (argc < 3 + has_forks || !(share || copy)) {
		print("usage: fork share|copy|both [forks=N] MIB...\n");
		return 2;
	}
	for (int i = 2 + has_forks; i < argc; i++) {
		parse_number(argv[i], &mib);
		failures += size(mib, share, copy, forks);
	}
	return failures ? 1 : 0;
}
