/* SPDX-License-Identifier: MIT */
/*
 * Slices leave the host's mapping, by one thread or several: all of them, nothing beside them, and when the call
 * returns no helper is at it any more: what is brought back and written stays.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "vm/withdraw.h"

#define MEMORY  (32ull << 20)
#define HELPERS 3
#define ROUNDS  40
#define K       1024ull

static struct guest_mem mem;
static struct withdrawal w;
static int null_pipe[2];

static void make(void)
{
	cr_assert_eq(guest_mem_init(&mem, MEMORY, BACKING_4K), 0);
	cr_assert_eq(pipe(null_pipe), 0);
	withdrawal_init(&w, &mem);
}

static void teardown(void)
{
	withdrawal_destroy(&w);
	guest_mem_destroy(&mem);
}

TestSuite(withdraw, .init = make, .fini = teardown);

static struct stage2_slice slice(uint64_t at, uint64_t size)
{
	return (struct stage2_slice){.gpa = gpa_init(at), .maddr = maddr_init(at), .size = size};
}

static uint8_t *byte(uint64_t at)
{
	return guest_mem_ptr(&mem, maddr_init(at), 1);
}

/* As the kernel finds it, without a fault of ours. */
static bool is_within_reach(uint64_t at)
{
	uint8_t got;

	if (write(null_pipe[1], byte(at), 1) < 0)
		return false;
	cr_assert_eq(read(null_pipe[0], &got, 1), 1);
	return true;
}

static void fill(void)
{
	for (uint64_t at = 0; at < MEMORY; at += PAGE_SIZE)
		*byte(at) = 1 + at / PAGE_SIZE % 255;
}

static bool is_in(const struct stage2_slice *s, unsigned n, uint64_t at)
{
	for (unsigned i = 0; i < n; i++)
		if (at - maddr_raw(s[i].maddr) < s[i].size)
			return true;
	return false;
}

/* Just these are gone, and all else is as fill() left it. */
static void expect_gone(const struct stage2_slice *s, unsigned n)
{
	for (uint64_t at = 0; at < MEMORY; at += PAGE_SIZE) {
		const bool gone = is_in(s, n, at);

		cr_assert_eq(is_within_reach(at), !gone, "page %#llx", (unsigned long long)at);
		cr_assert(gone || *byte(at) == 1 + at / PAGE_SIZE % 255, "page %#llx changed", (unsigned long long)at);
	}
}

static void restore(const struct stage2_slice *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(guest_mem_restore(&mem, s[i].maddr, s[i].size), 0);
}

/* Sizes and places as they come: single pages, ends in the middle of 2 MiB, several 2 MiB in one. */
static void mixed(struct stage2_slice *s)
{
	s[0] = slice(4 * K, 4 * K);
	s[1] = slice(1020 * K, 4096 * K);
	s[2] = slice(6144 * K, 2048 * K);
	s[3] = slice(10240 * K, 12 * K);
	s[4] = slice(16384 * K, 16384 * K);
}

Test(withdraw, alone)
{
	struct stage2_slice s[5];

	mixed(s);
	fill();
	cr_assert_eq(withdrawal_run(&w, s, 5), 0);
	expect_gone(s, 5);
}

static atomic_uint helped;

static void *help(void *arg)
{
	withdrawal_help(&w);
	atomic_fetch_add(&helped, 1);
	return NULL;
}

static void start_helpers(pthread_t *t)
{
	atomic_store(&helped, 0);
	for (int i = 0; i < HELPERS; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, help, NULL), 0);
}

static void join_helpers(pthread_t *t)
{
	for (int i = 0; i < HELPERS; i++)
		pthread_join(t[i], NULL);
}

/* A helper that stayed behind would take what fill() wrote. */
Test(withdraw, with_helpers)
{
	struct stage2_slice s[5];
	pthread_t t[HELPERS];

	mixed(s);
	for (int round = 0; round < ROUNDS; round++) {
		fill();
		withdrawal_announce(&w, s, 5);
		start_helpers(t);
		cr_assert_eq(withdrawal_run(&w, s, 5), 0);
		if (round % 10 == 0)
			expect_gone(s, 5);
		restore(s, 5);
		fill();
		join_helpers(t);
		expect_gone(NULL, 0);
	}
}

/* Before the vCPUs are out, nothing may go. */
Test(withdraw, helpers_wait)
{
	struct stage2_slice s[5];
	pthread_t t[HELPERS];

	mixed(s);
	fill();
	withdrawal_announce(&w, s, 5);
	start_helpers(t);
	usleep(50000);
	cr_assert_eq(atomic_load(&helped), 0);
	expect_gone(NULL, 0);
	cr_assert_eq(withdrawal_run(&w, s, 5), 0);
	join_helpers(t);
	expect_gone(s, 5);
}

/* Single pages, and one part alone, are not worth it: whoever comes goes on at once. */
Test(withdraw, small_ones_alone)
{
	struct stage2_slice s[1024];

	for (int i = 0; i < 1024; i++)
		s[i] = slice(i * 2 * PAGE_SIZE, PAGE_SIZE);
	withdrawal_announce(&w, s, 1024);
	withdrawal_help(&w);
	cr_assert_eq(withdrawal_run(&w, s, 1024), 0);
	s[0] = slice(2 * PAGE_2M, PAGE_2M);
	withdrawal_announce(&w, s, 1);
	withdrawal_help(&w);
	cr_assert_eq(withdrawal_run(&w, s, 1), 0);
	withdrawal_help(&w);
}

/* The host's refusal is handed on, whoever met it, and is forgotten by the next. */
Test(withdraw, refused)
{
	struct stage2_slice s[] = {slice(0, PAGE_2M), slice(MEMORY, PAGE_2M), slice(2 * PAGE_2M, PAGE_2M)};
	pthread_t t[HELPERS];

	withdrawal_announce(&w, s, 3);
	start_helpers(t);
	cr_assert_eq(withdrawal_run(&w, s, 3), -EINVAL);
	join_helpers(t);
	s[0] = slice(4 * PAGE_2M, 2 * PAGE_2M);
	cr_assert_eq(withdrawal_run(&w, s, 1), 0);
}
