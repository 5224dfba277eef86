/* SPDX-License-Identifier: MIT */
/* Machines without /sys or /proc, and limits on descriptors, memory and processes. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "surroundings.h"

static struct run r;

static void setup(void)
{
	need_kvm();
	dir_make();
}

TestSuite(limits, .init = setup, .fini = dir_remove);

static rlim_t limit;

static void few_descriptors(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, limit});
}

/* One descriptor more each time, until all works: before that, the reason and status 1. */
static void descriptors(const char *const *args)
{
	bool worked = false;

	r.surroundings = few_descriptors;
	for (limit = 4; !worked; limit++) {
		cr_assert_lt(limit, 60, "it never works");
		run_args(&r, args);
		worked = r.status == 0;
		if (worked)
			cr_assert_str_eq(r.err, "", "status 0 with words: %s", r.err);
		else
			cr_assert(r.status == 1 && strstr(r.err, "Too many open files"), "%d %s", r.status, r.err);
	}
}

Test(limits, few_descriptors)
{
	descriptors((const char *const[]){"run", guest_path("exit-status-0"), NULL});
	descriptors((const char *const[]){"run", "--cpus", "4", "--control", in_dir("socket"),
	                                  guest_path("exit-status-0"), NULL});
}

static void little_memory(void)
{
	setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit});
}

/* Address space for less and less: it ends with a line, or works. */
Test(limits, little_memory)
{
	r.surroundings = little_memory;
	for (limit = 256 << 20; limit > 8 << 20; limit = limit * 7 / 8) {
		run_gnomon(&r, "run", "--cpus", "2", "--memory", "64M", guest_path("exit-status-0"));
		if (r.status)
			expect_line(&r, 1, "");
	}
}

static const char *hidden[2];

/* Empty directories stand there instead, for this process alone. */
static void hide(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(253);
	for (int i = 0; i < 2; i++)
		if (hidden[i] && mount("none", hidden[i], "tmpfs", 0, "") < 0)
			_exit(253);
}

static json_t *at(json_t *root, const char *key, const char *inner)
{
	return json_object_get(json_object_get(root, key), inner);
}

/* Guests run, and reports say what they do not know instead of a number. */
static void without(const char *first, const char *second)
{
	json_t *root;

	hidden[0] = first;
	hidden[1] = second;
	r.surroundings = hide;
	run_gnomon(&r, "--version");
	if (r.status == 253)
		cr_skip_test("no mounts here");
	run_gnomon(&r, "run", kernel_path(), "--", "hello");
	expect_status(&r, 0);
	cr_assert_str_eq(r.out, "hello from gnomon guest\n");
	run_gnomon(&r, "host");
	expect_status(&r, 0);
	cr_assert(strstr(r.out, "unknown"));
	cr_assert_null(strstr(r.out, " 0 x "), "%s", r.out);
	cr_assert_null(strstr(r.out, " 0.0 GiB"), "%s", r.out);
	cr_assert_null(strstr(r.out, "CONFIG_HUGETLBFS"), "%s", r.out);
	run_gnomon(&r, "host", "--json");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	cr_assert(root, "%s", r.out);
	cr_assert_neq(json_integer_value(at(root, "cpu", "online")) > 0, json_is_null(at(root, "cpu", "online")));
	cr_assert_neq(json_integer_value(at(root, "memory", "total")) > 0, json_is_null(at(root, "memory", "total")));
	json_decref(root);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1");
	expect_status(&r, 0);
	cr_assert_null(strstr(r.out, "\n0 x"), "%s", r.out);
}

Test(limits, without_sys)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	without("/sys", NULL);
}
Test(limits, without_proc)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	without("/proc", NULL);
}
Test(limits, without_either)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	without("/sys", "/proc");
}
