/* SPDX-License-Identifier: MIT */
/*
 * `gnomon walk`, `tables` and `model --from` of a snapshot say of the guest's tables what they say of the guest that
 * was saved and stands still. What a file cannot tell, and damaged files, are told in a sentence.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot_run.h"

static const char *const addresses[] = {"0x400000",           "0x420000",           "0x450123",
                                        "0x500000",           "0x3fffff",           "0",
                                        "0x7fffffffffff",     "0x800000000000",     "0x7000000000",
                                        "0xffffffff80001000", "0xffffffff80200000", "0xffffff7fbfdfe000",
                                        "0x8000000000",       "0xffffffffffffffff", "0xffffffff80218008"};

/* A guest with programs and its own tables, which stands still, and its snapshot. */
static void start_and_save(const char *mode)
{
	prepare();
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--control", path, "--timeout", "100", kernel,
	                                      "--", "crash", "spin", NULL});
	for (struct limit limit = {0}; access(path, F_OK) < 0 || connection_open(&client, path, ANSWER_MS) < 0;) {
		cr_assert_not(limit_over(&limit), "no socket");
		usleep(1000);
	}
	usleep(300000); /* it may not have its tables yet: then fewer addresses lead somewhere */
	tell("stop");
	save();
}

static json_t *said(const char *const *args)
{
	json_t *reply;

	run_start(&tool, args);
	run_finish(&tool);
	expect_status(&tool, 0);
	reply = json_loads(tool.out, 0, NULL);
	cr_assert(reply, "%s", tool.out);
	return reply;
}

/* Takes out what only one of both can tell. */
static void strip(json_t *reply)
{
	static const char *const only[] = {"maddr",  "memory",     "known", "second-stage",
	                                   "shadow", "shadow-end", "held",  "snapshot"};
	json_t *list = json_object_get(reply, "guest"), *tree, *node;
	size_t i, k;

	for (i = 0; i < sizeof(only) / sizeof(*only); i++)
		(void)json_object_del(reply, only[i]);
	for (i = json_array_size(list); i-- > 0;)
		if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "table")), "guest") != 0)
			json_array_remove(list, i);
	json_array_foreach (json_object_get(reply, "trees"), i, tree)
		json_array_foreach (json_object_get(tree, "nodes"), k, node)
			(void)json_object_del(node, "below");
}

static unsigned expect_alike(const char *const *live, const char *const *saved, const char *what)
{
	json_t *a = said(live), *b = said(saved);
	const bool translated = strcmp("translated", json_string_value(json_object_get(a, "outcome")) ?: "") == 0;

	cr_expect(json_is_true(json_object_get(b, "snapshot")) && !json_object_get(a, "snapshot"));
	strip(a);
	strip(b);
	cr_expect(json_equal(a, b), "%s: the snapshot says\n%s", what, tool.out);
	json_decref(a);
	json_decref(b);
	return translated;
}

static void walks_alike(void)
{
	static const char *const access[] = {"r", "w", "x"}, *const as[] = {"--user", "--supervisor"};
	unsigned translated = 0;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses) * 6; i++) {
		const char *live[] = {"walk",     path,          addresses[i / 6], "--json",
		                      "--access", access[i % 3], as[i / 3 % 2],    NULL};
		const char *saved[] = {"walk",     file,          addresses[i / 6], "--json",
		                       "--access", access[i % 3], as[i / 3 % 2],    NULL};

		translated += expect_alike(live, saved, addresses[i / 6]);
	}
	cr_expect_gt(translated, 5u, "most of the addresses lead nowhere");
}

static void alike(const char *mode)
{
	char list[RUN_OUTPUT];

	start_and_save(mode);
	walks_alike();
	expect_alike((const char *const[]){"tables", path, "--json", NULL},
	             (const char *const[]){"tables", file, "--json", NULL}, "tables");
	expect_alike((const char *const[]){"tables", path, "--json", "--address", "0x400000", NULL},
	             (const char *const[]){"tables", file, "--json", "--address", "0x400000", NULL}, "a branch");
	run_gnomon(&tool, "model", "--from", path, "--designs", "radix4,linear", "--accesses", "10000");
	expect_status(&tool, 0);
	snprintf(list, sizeof(list), "%s", tool.out);
	run_gnomon(&tool, "model", "--from", file, "--designs", "radix4,linear", "--accesses", "10000");
	expect_status(&tool, 0);
	cr_expect_str_eq(tool.out, list);
	unlink(file);
	quit();
}

Test(control, views_alike_nested)
{
	alike("nested");
}

Test(control, views_alike_shadow)
{
	alike("shadow");
}

/* Both dimensions: what the guest's pages lie on, and what the file has of them. */
Test(control, views_below)
{
	prepare();
	start("nested", "1", "spin", "spinning\n");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa=8M", "size=4096");
	expect_status(&tool, 0);
	run_gnomon(&tool, "tables", path);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, " x 2 MiB on 2m 61440 KiB, hole 983044 KiB, 4k 2044 KiB\n"), "%s", tool.out);
	cr_expect(strstr(tool.out, "\nbelow    pages lie on "), "%s", tool.out);
	tell("stop");
	save();
	run_gnomon(&tool, "tables", file);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "absent 4 KiB, outside 983040 KiB"), "%s", tool.out);
	run_gnomon(&tool, "tables", file, "--stage", "stage2");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "\n[0000000000800000-0000000000800fff] absent\n"), "%s", tool.out);
	run_gnomon(&tool, "tables", file, "--stage", "stage2", "--address", "0x800123");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "[0000000000800000-0000000000800fff] absent\nmemory   absent 4 KiB\n") == tool.out,
	          "%s", tool.out);
	run_gnomon(&tool, "tables", file, "--stage", "stage2", "--address", "0x7fffffff0000");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "memory   none there\n") == tool.out, "%s", tool.out);
	run_gnomon(&tool, "tables", file, "--stage", "stage2", "--frame", "0x200");
	expect_refusal(&tool, 1, "a snapshot has no tables of a second stage");
	run_gnomon(&tool, "tables", file, "--address", "0x8000000000000000");
	expect_refusal(&tool, 1, "is not canonical");
	run_gnomon(&tool, "tables", path, "--address", "0x8000000000000000");
	expect_refusal(&tool, 1, "is not canonical");
	run_gnomon(&tool, "walk", file, "0x800000");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "The guest does not have it") && strstr(tool.out, "A snapshot has neither"), "%s",
	          tool.out);
	run_gnomon(&tool, "tables", file, "--html", "/dev/stdout");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, " on ") && strstr(tool.out, "</html>"), "%s", tool.out);
	unlink(file);
	quit();
}

static void change_byte(off_t at)
{
	const int fd = open(file, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	cr_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= 1;
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* Status 1 or 2, nothing on stdout, and the words. */
static void expect_refused(const char *words)
{
	static const char *const command[] = {"walk", "tables", "model"};

	for (int i = 0; i < 3; i++) {
		run_start(&tool, (const char *const[]){command[i], i == 2 ? "--from" : file,
		                                       i == 2   ? file
		                                       : i == 1 ? "--json"
		                                                : "0x100000",
		                                       NULL});
		run_finish(&tool);
		cr_expect_neq(tool.status, 0);
		cr_expect_str_eq(tool.out, "");
		cr_expect(strstr(tool.err, words), "%s: %s", command[i], tool.err);
	}
}

Test(control, views_of_bad_files)
{
	struct snapshot s;
	char why[SNAPSHOT_WHY_MAX];
	off_t size;

	prepare();
	start("nested", "1", "spin", "spinning\n");
	tell("stop");
	save();
	cr_assert_eq(snapshot_open(file, &s, why), 0);
	size = (off_t)s.shape.file_size;
	snapshot_close(&s);
	run_gnomon(&tool, "tables", file, "--stage", "shadow");
	expect_refusal(&tool, 1, "A snapshot has no shadow tables");
	run_gnomon(&tool, "walk", file, "0", "--cpu", "1");
	expect_refusal(&tool, 1, "There is no vCPU 1: this VM has 1");
	run_gnomon(&tool, "walk", file, "0", "--svg", file);
	expect_refusal(&tool, 2, "is what shall be read");
	run_gnomon(&tool, "tables", file, "--html", file);
	expect_refusal(&tool, 2, "is what shall be read");
	expect_good();
	change_byte(SNAPSHOT_HEADER); /* the first block, where the boot tables lie */
	expect_refused("its block 0 is damaged (bytes 4096 to");
	change_byte(SNAPSHOT_HEADER);
	change_byte(200);
	expect_refused("its header is damaged");
	change_byte(200);
	cr_assert_eq(truncate(file, size - 1), 0);
	expect_refused("it was cut off");
	cr_assert_eq(truncate(file, 100), 0);
	expect_refused("it is no snapshot, or was cut off");
	unlink(file);
	quit();
	strcpy(file, dir);
	expect_refused("it is no regular file");
}
