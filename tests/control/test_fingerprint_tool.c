/* SPDX-License-Identifier: MIT */
/* gnomon fingerprint and gnomon diff: what they print, and which status they end with. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

static struct run vm[2], tool;
static char dir[64], path[2][96];

static void start_vm(int i, const char *mode)
{
	snprintf(path[i], sizeof(path[i]), "%s/socket%d", dir, i);
	run_start(&vm[i], (const char *const[]){"run", "--paging", mode, "--timeout", "100", "--control", path[i],
	                                        guest_path("spin"), NULL});
	run_until(&vm[i], "spinning\n");
}

static void setup(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-fingerprint-XXXXXX");
	cr_assert(mkdtemp(dir));
	start_vm(0, "nested");
	start_vm(1, "shadow");
}

static void teardown(void)
{
	if (!*dir)
		return;
	for (int i = 0; i < 2; i++) {
		if (!vm[i].pid)
			continue;
		run_gnomon(&tool, "ctl", path[i], "quit");
		expect_status(&tool, 0);
		run_finish(&vm[i]);
		expect_status(&vm[i], 0);
	}
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(fingerprint_tool, .init = setup, .fini = teardown);

/*
 * The same guest in both modes has the same memory. Then a page goes: it alone is found, by the nodes of 64 MiB:
 * 1 + 1 + 1 + 32 + 512.
 */
Test(fingerprint_tool, diff)
{
	json_t *out, *range;

	run_gnomon(&tool, "diff", "--stop", path[0], path[1]);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "0 pages differ, in 0 ranges: 1 comparisons"), "%s", tool.out);
	run_gnomon(&tool, "ctl", path[1], "reclaim", "gpa=0x2345000", "size=4096");
	expect_status(&tool, 0);
	run_gnomon(&tool, "diff", path[0], path[1]);
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.out, "0x000002345000-0x000002345fff  4 KiB\n"), "%s", tool.out);
	cr_expect(strstr(tool.out, "1 pages differ, in 1 ranges: 547 comparisons"), "%s", tool.out);
	run_gnomon(&tool, "diff", "--hash=xxh3", "--json", path[0], path[1]);
	cr_expect_eq(tool.status, 1);
	out = json_loads(tool.out, 0, NULL);
	range = json_array_get(json_object_get(out, "ranges"), 0);
	cr_expect(json_is_false(json_object_get(out, "same")), "%s", tool.out);
	cr_expect_eq(json_integer_value(json_object_get(range, "gpa")), 0x2345000);
	cr_expect_eq(json_integer_value(json_object_get(range, "size")), 4096);
	json_decref(out);
}

/* 1 is for what differs: everything that went wrong is 2. */
Test(fingerprint_tool, diff_in_trouble)
{
	run_gnomon(&tool, "diff", path[0]);
	expect_refusal(&tool, 2, "two sockets or files");
	run_gnomon(&tool, "diff", "--hash", "md5", path[0], path[1]);
	expect_refusal(&tool, 2, "none of the hashes: blake2b, xxh3");
	run_gnomon(&tool, "diff", path[0], dir);
	expect_refusal(&tool, 2, "it is no regular file");
	run_gnomon(&tool, "diff", path[0], "/nowhere");
	cr_expect_eq(tool.status, 2);
	cr_expect(strstr(tool.err, "cannot connect"), "%s", tool.err);
	run_gnomon(&tool, "diff", "--help");
	expect_status(&tool, 0);
}

/*
 * The next round that the tool tells of: `slice` pages of it, which went, and all that changed. A CPU with NPT writes the
 * guest's tables as it walks them: these few pages are looked at again. Returns where the next one is.
 */
static const char *expect_round(const char *out, unsigned slice)
{
	unsigned looked, hashed, changed;
	const char *round = strstr(out, "blake2b: ");

	cr_assert(round, "%s", out);
	cr_assert_eq(sscanf(round, "blake2b: %u pages looked at, %u hashed, %u changed", &looked, &hashed, &changed), 3,
	             "%s", out);
	cr_expect_eq(changed, slice, "%s", out);
	cr_expect_eq(looked, slice + hashed, "%s", out);
	cr_expect_leq(hashed, 16, "%s", out);
	return round + 1;
}

/* A level's hashes; the second time only what was written is looked at; what was taken has a name. */
Test(fingerprint_tool, fingerprint)
{
	run_gnomon(&tool, "fingerprint", "--level", "1", path[0]);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "blake2b: 16384 pages looked at, "), "%s", tool.out);
	cr_expect(strstr(tool.out, "  zero\n"), "%s", tool.out);
	run_gnomon(&tool, "ctl", path[0], "reclaim", "gpa=32M", "size=2M");
	run_gnomon(&tool, "fingerprint", "--level=1", "--watch", "--count=2", path[0]);
	expect_status(&tool, 0);
	expect_round(expect_round(tool.out, 512), 0);
	cr_expect(strstr(tool.out, "0x000002000000-0x0000021fffff  absent\n"), "%s", tool.out);
	run_gnomon(&tool, "fingerprint", "--json", "--stop", "--hash", "xxh3", path[0]);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "\"exact\":true"), "%s", tool.out);
	run_gnomon(&tool, "fingerprint", "--key", "12", path[0]);
	expect_refusal(&tool, 2, "--key: it must be 64 hex digits");
	run_gnomon(&tool, "fingerprint", "--level", "5", path[0]);
	expect_refusal(&tool, 2, "--level");
}

/* Of two guests that were given one key the roots are equal, or not. */
Test(fingerprint_tool, one_key)
{
	static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	char root[33];

	run_gnomon(&tool, "fingerprint", "--stop", "--key", key, path[0]);
	expect_status(&tool, 0);
	snprintf(root, sizeof(root), "%.32s", tool.out);
	run_gnomon(&tool, "fingerprint", "--stop", "--key", key, path[1]);
	cr_expect_eq(strncmp(root, tool.out, 32), 0, "%s and %s", root, tool.out);
	run_gnomon(&tool, "fingerprint", "--stop", path[1]);
	cr_expect_neq(strncmp(root, tool.out, 32), 0);
}

/* The guest ends while it is watched. */
Test(fingerprint_tool, end_of_the_run)
{
	static struct run watch;

	run_start(&watch, (const char *const[]){"fingerprint", "--watch", path[0], NULL});
	run_until(&watch, "changed");
	run_gnomon(&tool, "ctl", path[0], "quit");
	run_finish(&watch);
	cr_expect_eq(watch.status, 0, "%s", watch.err);
	run_finish(&vm[0]);
	expect_status(&vm[0], 0);
}
