/* SPDX-License-Identifier: MIT */
/* dump-tables: what it shows of each stage, that it leaves the guest running, and that it ends. */
#include <criterion/criterion.h>
#include <string.h>

#include "control_run.h"

/* Every line of a dump is a run of pages; the first gigabyte of the boot tables is there. */
Test(control, dump_tables)
{
	json_t *lines;

	start("nested", "1", "spin", "spinning\n");
	lines = ask("dump-tables", NULL);
	cr_expect(strstr(json_string_value(json_array_get(lines, 0)), "vCPU 0: root "));
	cr_expect(strstr(json_string_value(json_array_get(lines, 1)), "0000000000000000-"));
	json_decref(lines);
	lines = ask("dump-tables", json_pack("{s:s}", "stage", "stage2"));
	cr_expect_eq(json_array_size(lines), 1u, "all memory, one to one, in one run");
	cr_expect_str_eq(json_string_value(json_array_get(lines, 0)),
	                 "0000000000000000-0000000003ffffff -> 0000000000000000 rwx--------- 2M");
	json_decref(lines);
	lines = ask("query-status", NULL);
	cr_expect_str_eq(json_string_value(json_object_get(lines, "status")), "running", "the dump left it stopped");
	json_decref(lines);
	quit();
	start("shadow", "1", "spin", "spinning\n");
	lines = ask("dump-tables", json_pack("{s:s}", "stage", "shadow"));
	cr_expect_gt(json_array_size(lines), 1u);
	json_decref(lines);
	quit();
}

/* Guest tables that lead to themselves: a dump ends all the same. */
Test(control, dump_of_circles)
{
	json_t *lines;

	run_start(&run, (const char *const[]){"run", "--control", path, "--timeout", "100", "--memory", "64M",
	                                      guest_path("tables-in-circles"), NULL});
	run_until(&run, "circling\n");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	lines = ask("dump-tables", NULL);
	cr_expect_gt(json_array_size(lines), 100u);
	cr_expect_str_eq(json_string_value(json_array_get(lines, json_array_size(lines) - 1)), "more was left out");
	json_decref(lines);
	quit();
}
