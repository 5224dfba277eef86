/* SPDX-License-Identifier: MIT */
/*
 * share MIB PROCESSES share|copy: so many processes that have the same library of MIB, as forks of the one that mapped
 * it. Each reads all pages of it and waits for the others. Prints how many page tables all of them have, without those
 * of the first process, and how many there were afterwards.
 */
#include "user.h"

#define MIB   (1ull << 20)
#define WORDS (PAGE_BYTES / 8)

/* In memory that all processes have. */
struct meeting {
	uint64_t arrived, wrong, over;
};

static uint64_t sum(const uint64_t *at, uint64_t pages)
{
	uint64_t s = 0;

	for (uint64_t i = 0; i < pages; i++)
		s += at[i * WORDS] ^ i;
	return s;
}

/* A process on the CPU of the others, which therefore takes turns with them. */
static void attend(struct meeting *m, const uint64_t *at, uint64_t pages, uint64_t want)
{
	volatile uint64_t own = want; /* on the stack: each process writes to some memory of its own */

	(void)own;
	if (sum(at, pages) != want)
		__atomic_fetch_add(&m->wrong, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&m->arrived, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&m->over, __ATOMIC_SEQ_CST))
		yield();
	exit(0);
}

/* How many processes it started. */
static uint64_t start(struct meeting *m, const uint64_t *at, uint64_t pages, uint64_t processes, int how)
{
	const uint64_t want = sum(at, pages);

	for (uint64_t i = 0; i < processes; i++) {
		const int64_t id = fork(SPAWN_HERE, how);

		if (id == 0)
			attend(m, at, pages, want);
		if (id < 0)
			return i;
		while (__atomic_load_n(&m->arrived, __ATOMIC_SEQ_CST) <= i)
			yield();
	}
	return processes;
}

static int run(uint64_t mib, uint64_t processes, int how)
{
	const uint64_t pages = mib * MIB / PAGE_BYTES;
	struct meeting *m = (struct meeting *)mmap(sizeof(*m), MMAP_SHARED);
	const int64_t at = mmap(mib * MIB, MMAP_APART);
	uint64_t before, started, tables;

	if ((int64_t)m < 0 || at < 0) {
		print("share: no memory for %u MiB: give the machine more\n", mib);
		return 1;
	}
	for (uint64_t i = 0; i < pages; i++)
		((uint64_t *)at)[i * WORDS] = i * 0x9e3779b97f4a7c15;
	before = count(COUNT_TABLES);
	started = start(m, (uint64_t *)at, pages, processes, how);
	tables = count(COUNT_TABLES) - before;
	m->over = 1;
	for (uint64_t i = 0; i < started; i++)
		wait();
	if (started < processes) {
		print("share: only %u of %u processes: give the machine more memory\n", started, processes);
		return 1;
	}
	print("share how=%s mib=%u processes=%u tables=%u kib=%u left=%d wrong=%u\n",
	      how == FORK_SHARE ? "share" : "copy", mib, processes, tables, tables * 4,
	      (int64_t)(count(COUNT_TABLES) - before), m->wrong);
	return m->wrong ? 1 : 0;
}

int share_main(int argc, char **argv)
{
	uint64_t mib, processes;

	if (argc != 4 || !parse_number(argv[1], &mib) || !parse_number(argv[2], &processes) || !mib || mib > 1 << 20 ||
	    !processes || !(same(argv[3], "share") || same(argv[3], "copy"))) {
		print("usage: share MIB PROCESSES share|copy\n");
		return 2;
	}
	return run(mib, processes, same(argv[3], "share") ? FORK_SHARE : FORK_COPY);
}
