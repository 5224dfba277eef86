/* SPDX-License-Identifier: MIT */
/* What shadow paging counts, by the statistics of a run. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shadow_run.h"

static struct run r;

static const char *kernel_path(void)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s", build_path("guest/kernel.elf"));
	return path;
}

/* One run with --stats in `path`, kept in `root`. */
struct counted {
	char path[32];
	json_t *root;
};

static struct counted counted_run(const char *opt, const char *memory, const char *image, const char *program)
{
	struct counted c = {.path = "/tmp/gnomon-stats-XXXXXX"};
	int fd = mkstemp(c.path);

	cr_assert_geq(fd, 0);
	close(fd);
	run_gnomon(&r, "run", "--paging", "shadow", "--shadow-opt", opt, "--shadow-memory", memory, "--stats", c.path,
	           image, "--", program);
	expect_status(&r, 0);
	c.root = json_load_file(c.path, 0, NULL);
	unlink(c.path);
	cr_assert_not_null(c.root, "no JSON");
	return c;
}

static json_int_t counter(const struct counted *c, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(c->root, "counters"), i, entry) {
		if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
			return json_integer_value(json_object_get(entry, "value"));
	}
	cr_assert_fail("no counter %s", name);
	return -1;
}

/* A CR3 load builds nothing and fills nothing when the root is kept; without that it does both, each time. */
Test(shadow, cr3_load_keeps_the_root)
{
	struct counted with = counted_run("root-cache", "32M", guest_path("shadow-cr3-reload"), "-");
	struct counted without = counted_run("none", "32M", guest_path("shadow-cr3-reload"), "-");

	cr_assert_geq(counter(&without, "shadow_pages_built"), 100);
	cr_assert_geq(counter(&without, "shadow_fills"), 100);
	cr_assert_geq(counter(&without, "shadow_drops"), 100);
	cr_assert_leq(counter(&with, "shadow_pages_built"), counter(&without, "shadow_pages_built") - 100);
	cr_assert_leq(counter(&with, "shadow_fills"), counter(&without, "shadow_fills") - 100);
	cr_assert_leq(counter(&with, "shadow_drops"), counter(&without, "shadow_drops") - 100);
	cr_assert_geq(counter(&with, "trap_gp"), 100, "each CR3 load is still one trap");
	json_decref(with.root);
	json_decref(without.root);
}

/* With the least memory frames are used again, and the guest does not notice. */
Test(shadow, little_memory_is_recycled)
{
	struct counted c = counted_run("none", "2M", kernel_path(), "selftest");

	cr_assert_null(strstr(r.out, "not ok"), "%s", r.out);
	cr_assert_geq(counter(&c, "shadow_recycles"), 1);
	cr_assert_geq(counter(&c, "shadow_drops"), counter(&c, "shadow_recycles"), "a recycled pool is an empty one");
	json_decref(c.root);
}

/* What is counted hangs together: exits are traps and ports, no edit or prefetch without its option. */
Test(shadow, counters_hang_together)
{
	struct counted c = counted_run("none", "32M", kernel_path(), "hello");
	static const char *const traps[] = {"trap_pf", "trap_gp", "trap_ud", "trap_syscall", "trap_other"};
	json_int_t sum = 0;

	for (size_t i = 0; i < sizeof(traps) / sizeof(*traps); i++)
		sum += counter(&c, traps[i]);
	cr_assert_gt(sum, 0);
	cr_assert_leq(sum, counter(&c, "exits_io"), "each trap is an `out` of the stub");
	cr_assert_gt(counter(&c, "shadow_fills"), 0);
	cr_assert_leq(counter(&c, "shadow_fills"), counter(&c, "trap_pf"));
	cr_assert_eq(counter(&c, "shadow_prefetched"), 0);
	cr_assert_eq(counter(&c, "shadow_edits"), 0);
	cr_assert_eq(counter(&c, "shadow_floods"), 0);
	cr_assert_eq(counter(&c, "shadow_audits"), 0);
	json_decref(c.root);
	c = counted_run("all", "32M", kernel_path(), "hello");
	cr_assert_gt(counter(&c, "shadow_prefetched"), 0);
	json_decref(c.root);
}
