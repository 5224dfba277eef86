/* SPDX-License-Identifier: MIT */
/* Page tables that processes of the guest share: what the programs fork and share count, and the shadow's pages. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

#define PROCESSES "6"

static const char *const modes[] = {"nested", "shadow"};
static struct run r;
static char kernel[4096];

static void find_kernel(void)
{
	need_kvm();
	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
}

TestSuite(sharing, .init = find_kernel);

struct forked {
	char how[8];
	unsigned long long mib, ticks, tables, copied_tables, copied_pages;
};

/* The line of `out` with this number, from 0 on. */
static struct forked forked_line(const char *out, int number)
{
	struct forked f;

	for (; number; number--)
		out = strchr(out, '\n') + 1;
	cr_assert_eq(sscanf(out, "fork how=%7s mib=%llu ticks=%llu tables=%llu copied-tables=%llu copied-pages=%llu\n",
	                    f.how, &f.mib, &f.ticks, &f.tables, &f.copied_tables, &f.copied_pages),
	             6, "%s", out);
	return f;
}

/*
 * A fork that shares makes one table, the root, whatever the size. Writes then copy the tables on their paths: with 8
 * pages that are written in as many page tables, one of each. A fork that copies has a table for each 2 MiB at once.
 */
Test(sharing, a_fork_copies_the_root_alone)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		struct forked small, big, copy;

		run_gnomon(&r, "run", "--paging", modes[i], kernel, "--", "fork", "both", "2", "16");
		expect_status(&r, 0);
		small = forked_line(r.out, 0);
		copy = forked_line(r.out, 1);
		big = forked_line(r.out, 2);
		cr_assert_str_eq(small.how, "share");
		cr_assert_eq(small.tables, 1, "%s", r.out);
		cr_assert_eq(big.tables, 1, "%s", r.out);
		cr_assert_leq(big.copied_tables, 3 + 1 + 8, "%s", r.out);
		cr_assert_leq(small.copied_tables, 3 + 1 + 1, "%s", r.out);
		cr_assert_geq(big.copied_pages, 8, "%s", r.out);
		cr_assert_leq(big.copied_pages, 8 + 4, "%s", r.out);
		cr_assert_str_eq(copy.how, "copy");
		cr_assert_geq(copy.tables, 4 + 1 + 1, "%s", r.out);
		copy = forked_line(r.out, 3);
		cr_assert_geq(copy.tables, 4 + 1 + 8, "%s", r.out);
		cr_assert_eq(copy.copied_pages, big.copied_pages, "%s", r.out);
	}
}

/* Runs that are compared by their exits say the same: a digit more is an exit more, and `bench` had forks of -1 exit. */
Test(sharing, counted_forks)
{
	static const char *const words[] = {"forks=1", "forks=2", "forks=9"};
	char *first = NULL;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		run_gnomon(&r, "run", kernel, "--", "fork", "both", words[i], "2");
		expect_status(&r, 0);
		cr_assert(strstr(r.out, "fork how=copy mib=2 tables="), "%s", r.out);
		if (i == 0)
			first = strdup(r.out);
		cr_assert_str_eq(r.out, first, "%s", words[i]);
	}
	free(first);
}

struct shared {
	unsigned long long tables, kib, wrong;
	long long left;
	json_int_t shadow_pages;
};

static json_int_t shadow_pages_built(const char *path)
{
	json_t *const root = json_load_file(path, 0, NULL), *entry;
	json_int_t value = -1;
	size_t i;

	json_array_foreach (json_object_get(root, "counters"), i, entry)
		if (strcmp(json_string_value(json_object_get(entry, "name")), "shadow_pages_built") == 0)
			value = json_integer_value(json_object_get(entry, "value"));
	json_decref(root);
	return value;
}

/* PROCESSES that read a library of so many MiB. */
static struct shared share(const char *mode, const char *mib, const char *how)
{
	char path[] = "/tmp/gnomon-stats-XXXXXX", text[128];
	const int fd = mkstemp(path);
	struct shared s;

	cr_assert_geq(fd, 0);
	close(fd);
	run_gnomon(&r, "run", "--paging", mode, "--stats", path, kernel, "--", "share", mib, PROCESSES, how);
	expect_status(&r, 0);
	snprintf(text, sizeof(text),
	         "share how=%s mib=%s processes=" PROCESSES " tables=%%llu kib=%%llu left=%%lld wrong=%%llu\n", how,
	         mib);
	cr_assert_eq(sscanf(r.out, text, &s.tables, &s.kib, &s.left, &s.wrong), 4, "%s", r.out);
	cr_assert_eq(s.wrong, 0);
	cr_assert_eq(s.left, 0, "%s", r.out);
	s.shadow_pages = shadow_pages_built(path);
	unlink(path);
	return s;
}

/*
 * Four tables for each process: the root, and the path to its stack. The library's are there once, also for processes
 * that were started apart.
 */
Test(sharing, a_library_has_one_set_of_tables)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		cr_assert_eq(share(modes[i], "2", "share").tables, 4 * 6);
		cr_assert_eq(share(modes[i], "12", "share").tables, 4 * 6);
		cr_assert_eq(share(modes[i], "12", "offer").tables, 4 * 6);
		cr_assert_geq(share(modes[i], "12", "copy").tables, (4 + 1 + 6) * 6);
	}
}

/*
 * Five tables more of a library are ten shadow pages more: five that its first process writes through, and five that
 * all processes read through. Each process has its own five when tables were copied.
 */
Test(sharing, a_shared_table_has_one_shadow)
{
	cr_assert_leq(share("shadow", "12", "share").shadow_pages, share("shadow", "2", "share").shadow_pages + 2 * 5);
	cr_assert_leq(share("shadow", "12", "offer").shadow_pages, share("shadow", "2", "offer").shadow_pages + 2 * 5);
	cr_assert_geq(share("shadow", "12", "copy").shadow_pages, share("shadow", "2", "copy").shadow_pages + 7 * 5);
}

Test(sharing, programs_refuse)
{
	static const char *const bad[][4] = {
	    {"fork", "share", "x"},
	    {"fork", "some", "1"},
	    {"fork", "both", "0"},
	    {"fork", "share", "forks=2"},
	    {"fork", "share", "forks=0", "2"},
	    {"fork", "share", "forks=", "2"},
	    {"fork", "share", "forks=1001", "2"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		run_gnomon(&r, "run", kernel, "--", bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
		cr_assert_eq(r.status, 2);
		cr_assert(strstr(r.out, "usage: fork"), "%s", r.out);
	}
	run_gnomon(&r, "run", kernel, "--", "share", "1", "0", "share");
	cr_assert_eq(r.status, 2);
	run_gnomon(&r, "run", kernel, "--", "sweep", "3");
	cr_assert_eq(r.status, 2);
	run_gnomon(&r, "run", kernel, "--", "sweep", "1000");
	cr_assert_eq(r.status, 1);
	cr_assert(strstr(r.out, "no memory for 1000 MiB"), "%s", r.out);
	run_gnomon(&r, "run", kernel, "--", "fork", "share", "1000");
	cr_assert_eq(r.status, 1);
	cr_assert(strstr(r.out, "no memory"), "%s", r.out);
	run_gnomon(&r, "run", kernel, "--", "share", "1", "1000", "share");
	cr_assert_eq(r.status, 1);
	cr_assert(strstr(r.out, "only 127 of 1000 processes"), "%s", r.out);
	run_gnomon(&r, "run", "--memory", "16M", kernel, "--", "share", "13", "120", "share");
	cr_assert_eq(r.status, 1);
	cr_assert(strstr(r.out, "program killed: exception 14"), "%s", r.out);
	cr_assert(strstr(r.out, " of 120 processes"), "%s", r.out);
}
