/* SPDX-License-Identifier: MIT */
/*
 * enclave: runs the sample enclaves and says what they did. It needs `gnomon run --enclave-memory 4M`.
 *
 *   enclave             both, with all they can do and all that their kernel cannot
 *   enclave loop [N]    one that spins for N rounds, or for ever
 *   enclave churn [N]   makes and destroys both, N times on each CPU: no page may be lost
 *   enclave busy        the same for ever, with a line for each round
 *   enclave random [N]  two processes make N calls each with random arguments: no page may be lost
 *   enclave round, calls N  the part of another process
 */
#include "enclave_samples.h"

#define ROUNDS 10

static bool both(void)
{
	return counter_try() && signer_try();
}

/* Every CPU has a process that makes both, and leaves another one to the kernel. */
static bool round_on_every_cpu(void)
{
	const int64_t n = cpus();
	bool well = true;

	for (int64_t i = 0; i < n; i++)
		if (spawn("enclave round", i) < 0)
			return enclave_fail("there is no memory for %d processes", n);
	for (int64_t i = 0; i < n; i++)
		if (wait() & 0xff)
			well = false;
	return well;
}

/* Addresses are never used again (mmap.c), so that each 2 MiB of them leave a page table behind. */
static uint64_t tables_so_far(void)
{
	const int64_t at = mmap(PAGE_BYTES, 0);

	if (at < 0)
		return 0;
	munmap((void *)at, PAGE_BYTES);
	return (uint64_t)at >> 21;
}

/* The first round makes page tables, and starts CPUs. */
static bool churn(const char *what, bool (*round)(void), uint64_t rounds)
{
	uint64_t before = 0, now;

	for (uint64_t i = 0; i <= rounds; i++) {
		if (!round())
			return false;
		now = tables_so_far();
		now += free_pages();
		if (i > 0 && now != before)
			return enclave_fail("%s: round %u left %u free pages instead of %u", what, i, now, before);
		before = now;
	}
	print("enclave: %s: %u rounds, and as many free pages as before\n", what, rounds);
	return true;
}

/* Beside a balloon, whose pages come and go. */
static bool busy(void)
{
	for (uint64_t i = 1;; i++) {
		if (!round_on_every_cpu())
			return false;
		print("enclave: round %u\n", i);
	}
}

/* Two processes one after the other call at random, and leave to the kernel what they then have. */
static bool random_calls(const char *n)
{
	char line[64] = "enclave calls ", *end = line + sizeof("enclave calls ") - 1;
	uint64_t before = 0;

	while (*n && end < line + sizeof(line) - 1)
		*end++ = *n++;
	for (int i = 0; i < 2; i++) {
		if (i > 0)
			before = free_pages(); /* the first one made tables */
		if (spawn(line, -1) < 0)
			return enclave_fail("there is no memory for a process");
		if (wait() & 0xff)
			return false;
	}
	if (free_pages() != before)
		return enclave_fail("random calls left %u free pages instead of %u", free_pages(), before);
	print("enclave: random calls, and as many free pages as before\n");
	return true;
}

int enclave_main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t n = same(what, "churn") ? ROUNDS : 0;

	if (argc == 1)
		return counter_show() && signer_show() ? 0 : 1;
	if (argc == 2 || (argc == 3 && parse_number(argv[2], &n))) {
		if (same(what, "loop"))
			return counter_loop(n) ? 0 : 1;
		if (same(what, "churn"))
			return churn("one process", both, n) && churn("a process on each CPU", round_on_every_cpu, n)
			           ? 0
			           : 1;
		if (same(what, "busy"))
			return busy() ? 0 : 1;
		if (same(what, "random"))
			return random_calls(argc > 2 ? argv[2] : "20000") ? 0 : 1;
		if (same(what, "calls"))
			return enclave_random(n) ? 0 : 1;
		if (same(what, "round"))
			return both() && counter_leave() ? 0 : 1;
	}
	print("usage: enclave [loop [ROUNDS] | churn [ROUNDS] | busy | random [CALLS]]\n");
	return 2;
}
