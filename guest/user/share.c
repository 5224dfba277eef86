/* SPDX-License-Identifier: MIT */
/*
 * share MIB PROCESSES share|copy|offer: so many processes that have the same library of MIB: as forks of the one that
 * mapped it, sharing tables or copying them, or started apart and linking what it offers. Each reads all pages of it and
 * waits for the others. Prints how many page tables all of them have, without those of the first process, and how many
 * there were afterwards.
 */
#include "user.h"

#define MIB   (1ull << 20)
#define WORDS (PAGE_BYTES / 8)
#define OFFER (FORK_COPY + 1)
#define TURNS 64 /* of all others, in which a process that was started comes to run */

static const char *const names[] = {[FORK_SHARE] = "share", [FORK_COPY] = "copy", [OFFER] = "offer"};

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

/* `share take MEETING PAGES SUM`: one that was started apart. The library is an offer of its parent. */
static int take(char **argv)
{
	uint64_t m, pages, want;
	const int64_t at = take_offer(OFFER_OF_PARENT);

	if (at < 0 || !parse_number(argv[2], &m) || !parse_number(argv[3], &pages) || !parse_number(argv[4], &want))
		return 1;
	attend((struct meeting *)m, (const uint64_t *)at, pages, want);
	return 0;
}

/* The new process's number, or -errno. */
static int64_t start_one(struct meeting *m, const uint64_t *at, uint64_t pages, uint64_t want, int how)
{
	char args[96];
	int64_t id;

	if (how == OFFER) {
		format(args, sizeof(args), "share take 0x%x %u 0x%x", (uint64_t)m, pages, want);
		return spawn(args, SPAWN_HERE);
	}
	id = fork(SPAWN_HERE, how);
	if (id == 0)
		attend(m, at, pages, want);
	return id;
}

/* Whether so many have arrived. One that does not has ended for want of memory. */
static bool await(const struct meeting *m, uint64_t processes)
{
	for (int i = 0; i < TURNS; i++) {
		if (__atomic_load_n(&m->arrived, __ATOMIC_SEQ_CST) >= processes)
			return true;
		yield();
	}
	return false;
}

/* How many processes it started; if not all, *ret_r says why. */
static uint64_t start(struct meeting *m, const uint64_t *at, uint64_t pages, uint64_t processes, int how,
                      int64_t *ret_r)
{
	const uint64_t want = sum(at, pages);

	*ret_r = how == OFFER ? offer(at, 3) : 0;
	if (*ret_r < 0)
		return 0;
	for (uint64_t i = 0; i < processes; i++) {
		*ret_r = start_one(m, at, pages, want, how);
		if (*ret_r < 0)
			return i;
		*ret_r = -ENOMEM;
		if (!await(m, i + 1))
			return i;
	}
	return processes;
}

static int run(uint64_t mib, uint64_t processes, int how)
{
	const uint64_t pages = mib * MIB / PAGE_BYTES;
	struct meeting *m = (struct meeting *)mmap(sizeof(*m), MMAP_SHARED);
	const int64_t at = mmap(mib * MIB, MMAP_GIB); /* its page directory has nothing else */
	uint64_t before, started, tables;
	int64_t r;

	if ((int64_t)m < 0 || at < 0) {
		print("share: no memory for %u MiB: give the machine more\n", mib);
		return 1;
	}
	for (uint64_t i = 0; i < pages; i++)
		((uint64_t *)at)[i * WORDS] = i * 0x9e3779b97f4a7c15;
	before = count(COUNT_TABLES);
	started = start(m, (uint64_t *)at, pages, processes, how, &r);
	tables = count(COUNT_TABLES) - before;
	m->over = 1;
	for (uint64_t i = 0; i < started; i++)
		wait();
	if (started < processes) {
		print("share: only %u of %u processes: %s\n", started, processes,
		      r == -EAGAIN ? "there is no room for more" : "give the machine more memory");
		return 1;
	}
	print("share how=%s mib=%u processes=%u tables=%u kib=%u left=%d wrong=%u\n", names[how], mib, processes,
	      tables, tables * 4, (int64_t)(count(COUNT_TABLES) - before), m->wrong);
	return m->wrong ? 1 : 0;
}

int share_main(int argc, char **argv)
{
	uint64_t mib, processes;
	int how = FORK_SHARE;

	if (argc == 5 && same(argv[1], "take"))
		return take(argv);
	while (argc == 4 && how <= OFFER && !same(argv[3], names[how]))
		how++;
	if (argc != 4 || how > OFFER || !parse_number(argv[1], &mib) || !parse_number(argv[2], &processes) || !mib ||
	    mib > 1024 || !processes) {
		print("usage: share MIB PROCESSES share|copy|offer\n");
		return 2;
	}
	return run(mib, processes, how);
}
