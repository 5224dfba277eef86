/* SPDX-License-Identifier: MIT */
/* walk and query-tables at a real run, and `gnomon walk` and `gnomon tables`, which ask them; hostile guests and bad input. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_run.h"

static struct run tool;

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_t *walk(const char *address)
{
	return ask("walk", json_pack("{s:s}", "address", address));
}

static json_t *tables(const char *stage)
{
	return ask("query-tables", json_pack("{s:s}", "stage", stage));
}

static void expect_running(void)
{
	json_t *status = ask("query-status", NULL);

	cr_expect_str_eq(text_at(status, "status"), "running", "the command left it stopped");
	json_decref(status);
}

/* Status 1, nothing on stdout, one line that holds the words. */
static void expect_failure(int status, const char *words)
{
	cr_expect_eq(tool.status, status, "status %d: %s", tool.status, tool.err);
	cr_expect_str_eq(tool.out, "");
	cr_expect(strstr(tool.err, words) && strchr(tool.err, '\n') == tool.err + strlen(tool.err) - 1, "%s", tool.err);
}

/* The boot tables map the first GiB by 2 MiB pages: 3 guest entries and the data, with 3 of the second stage for each. */
Test(control, walk_nested)
{
	json_t *reply, *list;

	start("nested", "1", "spin", "spinning\n");
	reply = walk("0x100123");
	list = json_object_get(reply, "guest");
	cr_expect_eq(json_array_size(list), 15u);
	cr_expect_str_eq(text_at(json_array_get(list, 0), "table"), "stage2");
	cr_expect_str_eq(text_at(json_array_get(list, 3), "table"), "guest");
	cr_expect_str_eq(text_at(reply, "outcome"), "translated");
	cr_expect_str_eq(text_at(reply, "gpa"), "0x100123");
	cr_expect_str_eq(text_at(reply, "maddr"), "0x100123");
	cr_expect(!json_object_get(reply, "shadow"));
	json_decref(reply);
	reply = walk("0x800000000000");
	cr_expect_str_eq(text_at(reply, "rule"), "canonical");
	cr_expect_eq(json_array_size(json_object_get(reply, "guest")), 0u);
	json_decref(reply);
	reply = walk("0x7ffffffff000");
	cr_expect_str_eq(text_at(reply, "sentence"), "The entry at level 4 is not present: P is 0.");
	cr_expect_eq(json_integer_value(json_object_get(reply, "vector")), 14);
	json_decref(reply);
	expect_running();
	quit();
}

/* The shadow is walked as well, and leads to the same memory. */
Test(control, walk_shadow)
{
	json_t *reply, *shadow, *last;

	start("shadow", "1", "spin", "spinning\n");
	reply = walk("0x100000");
	shadow = json_object_get(reply, "shadow");
	last = json_array_get(shadow, json_array_size(shadow) - 1);
	cr_expect_geq(json_array_size(shadow), 3u);
	cr_expect_str_eq(text_at(reply, "shadow-end"), "mapped");
	cr_expect(json_is_true(json_object_get(last, "leaf")));
	cr_expect_eq(json_array_size(json_object_get(reply, "guest")), 15u);
	json_decref(reply);
	expect_running();
	quit();
}

/* Tables that lead to themselves, or nowhere: a walk has four levels all the same, and trees end. */
Test(control, walk_in_circles)
{
	json_t *reply;

	start("nested", "1", "tables-in-circles", "circling\n");
	reply = walk("0x0000010080402000"); /* index 2 at each level */
	cr_expect_eq(json_array_size(json_object_get(reply, "guest")), 19u);
	cr_expect_str_eq(text_at(reply, "outcome"), "translated");
	json_decref(reply);
	reply = walk("0xffff808000000000");
	cr_expect_str_eq(text_at(reply, "outcome"), "table-outside");
	cr_expect_str_eq(text_at(reply, "sentence"),
	                 "The table of level 3, at 0xd0000000, lies outside the guest's memory.");
	json_decref(reply);
	reply = tables("guest");
	cr_expect(json_is_true(json_object_get(reply, "cut")));
	json_decref(reply);
	run_gnomon(&tool, "tables", path, "--address", "0x0000010080402000");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "L1[002]"), "%s", tool.out);
	cr_expect(strstr(tool.out, "\nTables that are linked at more than one place:\ntable ") &&
	              strstr(tool.out, "x86-64: the root\n"),
	          "%s", tool.out);
	expect_running();
	quit();
}

static void expect_refused(json_t *args, const char *words)
{
	json_t *reply;

	cr_assert_eq(connection_execute(&client, "walk", args, &reply), 0);
	cr_expect(strstr(text_at(json_object_get(reply, "error"), "desc"), words), "%s", words);
	json_decref(reply);
}

Test(control, walk_refuses)
{
	start("nested", "2", "spin", "spinning\n");
	expect_refused(json_pack("{s:s}", "address", "0x"), "Parameter 'address' is no address of 64 bits");
	expect_refused(json_pack("{s:s}", "address", "0x10000000000000000"), "no address of 64 bits");
	expect_refused(json_pack("{s:s, s:i}", "address", "1", "cpu", 2), "There is no vCPU 2: this VM has 2");
	expect_refused(json_pack("{s:s, s:i}", "address", "1", "cpu", -1), "There is no vCPU -1");
	expect_refused(json_pack("{s:s, s:i}", "address", "1", "cpu", 1), "The guest has not started vCPU 1");
	quit();
}

/* What the tools print; a fault is an answer. */
Test(control, walk_tools)
{
	char file[128], text[64] = "";
	FILE *f;

	start("nested", "1", "spin", "spinning\n");
	run_gnomon(&tool, "walk", path, "0x100000");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "\n 15  stage2       2") && strstr(tool.out, "The guest's tables allow it.\n"), "%s",
	          tool.out);
	run_gnomon(&tool, "walk", path, "0x100000", "--user", "--access", "w");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "#PF, error code 0x7 (P W U). U is 0 in the entry at level "), "%s", tool.out);
	run_gnomon(&tool, "walk", path, "0x7ffffffff000");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "\n#PF, error code 0x0. The entry at level 4 is not present: P is 0.\n"), "%s",
	          tool.out);
	run_gnomon(&tool, "walk", path, "0x100000", "--json");
	expect_status(&tool, 0);
	snprintf(file, sizeof(file), "%s/walk.svg", dir);
	run_gnomon(&tool, "walk", path, "0x100000", "--svg", file);
	expect_status(&tool, 0);
	f = fopen(file, "r");
	cr_assert(f && fread(text, 1, 4, f) == 4);
	fclose(f);
	unlink(file);
	cr_expect_str_eq(text, "<svg");
	run_gnomon(&tool, "tables", path, "--stage", "stage2");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "L2[000-031]") && strstr(tool.out, "mapped   65536 KiB in pages: 32 of 2 MiB\n"),
	          "%s", tool.out);
	run_gnomon(&tool, "tables", path, "--frame", "0x100");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "frame 0x100 is mapped at 0x0000000000100000 by a page of 2 MiB"), "%s", tool.out);
	run_gnomon(&tool, "tables", path, "--html", "/dev/stdout");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "</html>"), "%s", tool.out);
	quit();
}

Test(control, walk_tools_refuse)
{
	start("nested", "1", "spin", "spinning\n");
	run_gnomon(&tool, "walk", path, "0xfoo");
	expect_refusal(&tool, 2, "'0xfoo' is no address of 64 bits");
	run_gnomon(&tool, "walk", path);
	expect_refusal(&tool, 2, "a socket or file and an address are expected");
	run_gnomon(&tool, "walk", path, "1", "--access", "rw");
	expect_refusal(&tool, 2, "none of r, w and x");
	run_gnomon(&tool, "walk", path, "1", "--svg", "/nowhere/x.svg");
	expect_refusal(&tool, 2, "/nowhere/x.svg");
	run_gnomon(&tool, "tables", path, "--stage", "third");
	expect_refusal(&tool, 2, "none of guest, stage2, shadow and enclave");
	run_gnomon(&tool, "tables", path, "--frame", "-1");
	expect_refusal(&tool, 2, "--frame: '-1'");
	run_gnomon(&tool, "tables", path, "--frame", "0x10000000000000");
	expect_refusal(&tool, 2, "is no page frame");
	run_gnomon(&tool, "walk", path, "1", "--cpu", "5");
	expect_failure(1, "There is no vCPU 5: this VM has 1");
	run_gnomon(&tool, "tables", path, "--stage", "shadow");
	expect_failure(1, "nested paging has no shadow tables");
	run_gnomon(&tool, "tables", path, "--stage", "enclave");
	expect_failure(1, "This VM has no secure memory");
	run_gnomon(&tool, "walk", path, "1", "--svg", "/dev/full");
	cr_expect_eq(tool.status, 1);
	run_gnomon(&tool, "tables", path, "--html", "/dev/full");
	cr_expect_eq(tool.status, 1);
	quit();
	run_gnomon(&tool, "walk", path, "1");
	expect_failure(1, "cannot connect");
	run_gnomon(&tool, "tables", path);
	expect_failure(1, "cannot connect");
}

/* The guest may end at any moment of a walk: the tool ends, with an answer or a sentence. */
Test(control, walk_of_a_guest_that_ends)
{
	for (int i = 0; i < 5; i++) {
		start("nested", "1", "spin", "spinning\n");
		run_start(&tool,
		          (const char *const[]){i % 2 ? "tables" : "walk", path, i % 2 ? NULL : "0x100000", NULL});
		usleep(1000 * i);
		quit();
		run_finish(&tool);
		cr_expect(tool.status == 0 || (tool.status == 1 && *tool.err), "status %d: %s", tool.status, tool.err);
	}
}
