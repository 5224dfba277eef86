/* SPDX-License-Identifier: MIT */
/*
 * gnomon snapshot save and what a VMM tells of other clients' saves: the end of one that was over when this one began may
 * come after the reply to this one, and the state of one that began behind it before this one's end was heard.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_server.h"
#include "run_gnomon.h"

static struct run tool;
static char mine[96];
static struct control_snapshot told; /* at first, of somebody else */
static unsigned looks;
static bool replaces; /* the VMM completes a file, and fails behind that */

static void make_file(const char *name)
{
	FILE *f = fopen(name, "w");

	cr_assert(f && fclose(f) == 0);
}

static void replace_file(void)
{
	char beside[sizeof(mine) + 8];

	snprintf(beside, sizeof(beside), "%s.new", mine);
	make_file(beside);
	cr_assert_eq(rename(beside, mine), 0);
}

/* The other's end waits to be told when this one begins. */
static int begin(void *vm, const struct control_save *wanted, uint64_t *ret_pause_us, struct control_error *err)
{
	snprintf(mine, sizeof(mine), "%s", wanted->file);
	if (!*told.file)
		memcpy(told.file, mine, sizeof(mine));
	*ret_pause_us = 456;
	if (replaces)
		replace_file();
	server_snapshot_ended(&fake_server, &told);
	return 0;
}

/* Asked again and again: the other's, then this one's, which failed. */
static void look(void *vm, struct control_snapshot *ret)
{
	*ret = told;
	if (++looks < 2)
		return;
	*ret = (struct control_snapshot){.status = "failed", .pause_us = 456};
	memcpy(ret->file, mine, sizeof(mine));
	strcpy(ret->error, "the disk burns");
}

static void set(struct control_ops *ops)
{
	ops->snapshot_save = begin;
	ops->snapshot = look;
}

static void setup(void)
{
	fake_server_start(set);
}

TestSuite(snapshot_told, .init = setup, .fini = fake_server_stop);

static void expect_own_end(const char *file)
{
	looks = 0;
	run_gnomon(&tool, "snapshot", "save", fake_server_path, file);
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.err, "the disk burns"), "%s%s", tool.out, tool.err);
	cr_expect_eq(looks, 2);
}

Test(snapshot_told, of_another_file)
{
	told = (struct control_snapshot){.status = "saved", .file = "/nowhere/other", .pause_us = 456};
	expect_own_end("/nowhere/mine");
}

Test(snapshot_told, of_the_same_file)
{
	told = (struct control_snapshot){.status = "saved", .pause_us = 455};
	expect_own_end("/nowhere/mine");
}

/* What a file held is said to be there still only of a file that was there, and is. */
Test(snapshot_told, of_what_was_there)
{
	static const char words[] = "; what was in the file before is there still";
	char file[sizeof(mine)];

	snprintf(file, sizeof(file), "%s/mine", fake_server_dir);
	told = (struct control_snapshot){.status = "saved", .file = "/nowhere/other", .pause_us = 456};
	expect_own_end(file);
	cr_expect_not(strstr(tool.err, words), "%s", tool.err);
	make_file(file);
	expect_own_end(file);
	cr_expect(strstr(tool.err, words), "%s", tool.err);
	replaces = true;
	expect_own_end(file);
	cr_expect_not(strstr(tool.err, words), "%s", tool.err);
	unlink(file);
}
