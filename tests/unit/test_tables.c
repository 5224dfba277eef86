/* SPDX-License-Identifier: MIT */
/* What `gnomon tables` and `gnomon walk` make of replies: sums, texts and pages; and of replies that are none. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tables.h"
#include "cmd/walk.h"

/* A table with two runs of pages, the second of which maps one frame of the first again, and a table that is its own. */
#define NODE(level, index, entries, first, last, to, leaf)                                                             \
	"{\"level\":" #level ",\"index\":" #index ",\"entries\":" #entries ",\"first\":\"" first "\",\"last\":\"" last \
	"\",\"at\":\"0x0\",\"entry\":\"0x1\",\"flags\":\"P <W>\",\"to\":\"" to "\",\"leaf\":" #leaf "}"
#define TREE(cpus, nodes)                                                                                              \
	"{\"root\":\"0x1000\",\"format\":\"x86-64\",\"levels\":4,\"cpus\":[" cpus "],\"nodes\":[" nodes "]}"
#define REPLY(trees) "{\"stage\":\"guest\",\"trees\":[" trees "],\"cut\":false}"

static const char two_runs[] = REPLY(TREE(
    "0, 1",
    NODE(2, 0, 1, "0x0", "0x1fffff", "0x2000", false) "," NODE(1, 1, 2, "0x1000", "0x2fff", "0x8000", true) "," NODE(
        1, 7, 1, "0x7000", "0x7fff", "0x9000", true) "," NODE(2, 3, 1, "0x600000", "0x7fffff", "0x2000", false)));

static struct tables tables;

static int load(const char *text)
{
	return tables_load(json_loads(text, JSON_DECODE_ANY, NULL), &tables);
}

/* What `put` writes, the caller's to free. */
static char *written(int (*put)(const struct tables *t, FILE *to))
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	cr_assert_eq(put(&tables, to), 0);
	fclose(to);
	return text;
}

Test(tables, sums)
{
	struct tables_sum s;

	cr_assert_eq(load(two_runs), 0);
	cr_assert_eq(tables_sum(&tables.tree[0], &s), 0);
	cr_expect(s.pages[1] == 3 && s.pages[2] == 0 && s.bytes == 3 * 4096);
	cr_expect(s.tables == 2 && s.places == 3 && s.entries == 5);
	cr_expect_eq(s.holes, 1);
	cr_expect_eq(s.shared_tables, 1);
	cr_expect_eq(s.again, 4096);
	tables_free(&tables);
}

Test(tables, text)
{
	static const char *const lines[] = {
	    "vCPUs 0-1: root 0x1000, x86-64\n",
	    "[0000000000000000-00000000001fffff] L2[000]               P <W>               table 2000\n",
	    "  [0000000000001000-0000000000002fff] L1[001-002]         P <W>   ",
	    "  -> 0000000000008000  2 x 4 KiB\n",
	    "mapped   12 KiB in pages: 3 of 4 KiB\n",
	    "tables   2 in 3 places, 8 KiB, 0.666667 bytes for each byte mapped; 5 of 1536 entries are used\n",
	    "table 2000\n  vCPUs 0-1: root 0x1000, x86-64: L2[000], from 0000000000000000 on\n"};
	char *text;

	cr_assert_eq(load(two_runs), 0);
	text = written(tables_print);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		cr_expect(strstr(text, lines[i]), "%s is not in\n%s", lines[i], text);
	free(text);
	tables_free(&tables);
}

static int put_frame(const struct tables *t, FILE *to)
{
	tables_print_frame(t, 9, to);
	return 0;
}

static int put_no_frame(const struct tables *t, FILE *to)
{
	tables_print_frame(t, 0x77, to);
	return 0;
}

/* Who maps a frame: every run that has it, at its own address there. */
Test(tables, frame)
{
	char *text;

	cr_assert_eq(load(two_runs), 0);
	text = written(put_frame);
	cr_expect(strstr(text, "frame 0x9 is mapped at 0x0000000000002000 by a page of 4 KiB") &&
	              strstr(text, "frame 0x9 is mapped at 0x0000000000007000 by a page of 4 KiB"),
	          "%s", text);
	free(text);
	text = written(put_no_frame);
	cr_expect_str_eq(text, "no entry leads to frame 0x77\n");
	free(text);
	tables_free(&tables);
}

static unsigned times(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* A table unfolds, all that is opened is closed, and what the server says stays text. */
Test(tables, html)
{
	char *text;

	cr_assert_eq(load(two_runs), 0);
	text = written(tables_write_html);
	cr_expect_eq(times(text, "<details"), 2u);
	cr_expect_eq(times(text, "</details>"), 2u);
	cr_expect_eq(times(text, "<div"), times(text, "</div>"));
	cr_expect(strstr(text, "P &lt;W&gt;") && !strstr(text, "<W>") && !strstr(text, "<script"), "%s", text);
	free(text);
	tables_free(&tables);
}

Test(tables, no_reply)
{
	static const char *const bad[] = {"null",
	                                  "{}",
	                                  "[]",
	                                  "{\"trees\":1}",
	                                  "{\"trees\":[1]}",
	                                  REPLY("{}"),
	                                  REPLY("{\"root\":\"0x1\"}"),
	                                  REPLY(TREE("", "1")),
	                                  REPLY(TREE("", NODE(6, 0, 1, "0x0", "0x0", "0x0", true))),
	                                  REPLY(TREE("", NODE(0, 0, 1, "0x0", "0x0", "0x0", true))),
	                                  REPLY(TREE("", NODE(1, 512, 1, "0x0", "0x0", "0x0", true))),
	                                  REPLY(TREE("", NODE(1, 0, 0, "0x0", "0x0", "0x0", true))),
	                                  REPLY(TREE("", NODE(1, 0, 1, "x", "0x0", "0x0", true))),
	                                  REPLY(TREE("", NODE(1, 0, -1, "0x0", "0x0", "0x0", true)))};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_expect_eq(load(bad[i]), -EPROTO, "%s", bad[i]);
		tables_free(&tables);
	}
}

/* Nodes in an order that no tree has still make a page in which all is closed. */
Test(tables, odd_order)
{
	char *text;

	cr_assert_eq(
	    load(REPLY(TREE(
	        "",
	        NODE(1, 0, 1, "0x0", "0xfff", "0x0", false) "," NODE(4, 0, 1, "0x0", "0x0", "0x0", false) "," NODE(
	            4, 0, 1, "0x0", "0x0", "0x0", false) "," NODE(2, 0, 1, "0xffffffffffffffff", "0xffffffffffffffff",
	                                                          "0xffffffffffffffff", true)))),
	    0);
	text = written(tables_write_html);
	cr_expect_eq(times(text, "<details"), times(text, "</details>"));
	free(text);
	free(written(tables_print));
	tables_free(&tables);
}

/* A reply of `walk` may lack everything, and hold anything. */
Test(tables, odd_walks)
{
	static const char *const odd[] = {
	    "{}",
	    "{\"guest\":1,\"shadow\":{},\"shadow-end\":1,\"enclaves\":7,\"vector\":14,\"error-code\":-1}",
	    "{\"guest\":[1,{},{\"table\":\"guest\",\"row\":9,\"level\":9},{\"row\":-1}],\"sentence\":\"<b>\"}",
	    "{\"guest\":[{\"table\":\"<&\\u001b[31m\",\"row\":1,\"level\":1,\"at\":\"<b>\",\"flags\":\"&\"}]}",
	    "{\"shadow\":[{},{},{},{},{},{}],\"shadow-end\":\"absent\",\"enclaves\":[{}]}",
	    "{\"enclaves\":[{\"references\":[1,{\"owner\":1},{\"owner\":2,\"to\":\"0x0\"}]}]}"};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		json_t *reply = json_loads(odd[i], 0, NULL);
		char *text = NULL;
		size_t len;
		FILE *to = open_memstream(&text, &len);

		cr_assert(reply, "%s", odd[i]);
		walk_print(reply, to);
		fflush(to);
		cr_expect_not(strchr(text, '\033'), "%s", text);
		rewind(to);
		walk_draw(reply, to);
		fclose(to);
		cr_expect(strstr(text, "</svg>\n") && !strstr(text, "<b>"), "%s", text);
		free(text);
		json_decref(reply);
	}
}
