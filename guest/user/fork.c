/* SPDX-License-Identifier: MIT */
/*
 * fork share|copy|both [forks=N] MIB...: how long a fork takes with so much memory, in the same run. For each size and
 * way, in turns: three forks, of which the line names the shortest, in TSC ticks of the parent. With N forks it names no
 * time: each character is an exit, and runs are compared by these. The last child sums the memory and writes to it; the
 * parent sums its own afterwards. The line also has the tables that one more process takes, and those and the pages that
 * the writes of both copied.
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

/*
 * Since the two counts were taken, by a fork alone. Whatever is written to this process's stack in between has tables
 * copied, and those are counted, too: how many of them is known where none was copied while the counts were read.
 */
static uint64_t tables_made(int how, uint64_t tables, uint64_t copied_tables)
{
	uint64_t made, copied;

	do {
		copied = count(COUNT_TABLES_COPIED);
		made = count(COUNT_TABLES);
	} while (count(COUNT_TABLES_COPIED) != copied);
	return made - tables - (how == FORK_SHARE ? copied - copied_tables : 0);
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
	r->tables = tables_made(how, tables, copied_tables);
	status = wait();
	r->copied_tables = count(COUNT_TABLES_COPIED) - copied_tables;
	r->copied_pages = count(COUNT_PAGES_COPIED) - copied_pages;
	return status < 0 ? status : (status & 0xff) | (sum(at, pages) != want);
}

/* forks: 0 for three, and their time. */
static int measure(uint64_t *at, uint64_t mib, int how, uint64_t forks)
{
	const uint64_t nr = forks ? forks : FORKS;
	struct result r = {.ticks = -1ull};

	for (uint64_t i = 1; i <= nr; i++) {
		const int64_t status = fork_once(at, mib * MIB / PAGE_BYTES, how, i == nr, &r);

		if (status != 0) {
			print("fork: %s\n", status == -ENOMEM ? "no memory: give the machine more"
			                    : status < 0      ? "there are too many processes"
			                                      : "the data differ");
			return 1;
		}
	}
	print("fork how=%s mib=%u ", how == FORK_SHARE ? "share" : "copy", mib);
	if (!forks)
		print("ticks=%u ", r.ticks);
	print("tables=%u copied-tables=%u copied-pages=%u\n", r.tables, r.copied_tables, r.copied_pages);
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

/* The word "forks=N"; *ret_forks is 0 without. False: N is no number of forks. */
static bool take_forks(const char *word, uint64_t *ret_forks)
{
	static const char name[] = "forks=";
	size_t n = 0;

	while (name[n] && word[n] == name[n])
		n++;
	*ret_forks = 0;
	return name[n] || (parse_number(word + n, ret_forks) && *ret_forks && *ret_forks <= MAX);
}

int fork_main(int argc, char **argv)
{
	const bool both = argc > 2 && same(argv[1], "both");
	const bool share = both || (argc > 2 && same(argv[1], "share")),
	           copy = both || (argc > 2 && same(argv[1], "copy"));
	uint64_t mib, forks = 0;
	int failures = 0, sizes;

	if (argc > 2 && !take_forks(argv[2], &forks))
		argc = 0;
	sizes = forks ? 3 : 2; /* where they begin */
	for (int i = sizes; i < argc; i++)
		if (!parse_number(argv[i], &mib) || !mib || mib > 1 << 20)
			argc = 0;
	if (argc <= sizes || !(share || copy)) {
		print("usage: fork share|copy|both [forks=N] MIB...\n");
		return 2;
	}
	for (int i = sizes; i < argc; i++) {
		parse_number(argv[i], &mib);
		failures += size(mib, share, copy, forks);
	}
	return failures ? 1 : 0;
}
