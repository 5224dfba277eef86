/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "cmd/reply.h"
#include "cmd/tables.h"

/* --- from the reply --- */

bool tables_address(const json_t *object, const char *name, uint64_t *ret_value)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && address_parse(text, ret_value) == 0;
}

static bool load_node(const json_t *object, struct table_node *n)
{
	n->level = (int)reply_number(object, "level");
	n->index = (unsigned)reply_number(object, "index");
	n->entries = (unsigned)reply_number(object, "entries");
	n->leaf = json_is_true(json_object_get(object, "leaf"));
	n->flags = json_string_value(json_object_get(object, "flags"));
	n->below = json_object_get(object, "below");
	return n->level >= 1 && n->level <= TABLES_LEVELS && n->index < 512 && n->entries && n->entries <= 512 &&
	       n->flags && tables_address(object, "first", &n->first) && tables_address(object, "last", &n->last) &&
	       tables_address(object, "entry", &n->entry) && tables_address(object, "to", &n->to);
}

static int cpu_at(const json_t *cpus, size_t i)
{
	return (int)json_integer_value(json_array_get(cpus, i));
}

/* CPUs in a row are told by the first and the last. */
static void make_title(const json_t *object, struct table_tree *tree)
{
	const json_t *cpus = json_object_get(object, "cpus");
	char list[240] = ""; /* every second of 64 */

	for (size_t i = 0, n; i < json_array_size(cpus) && strlen(list) < sizeof(list) - 16; i += n) {
		const size_t len = strlen(list);
		const int first = cpu_at(cpus, i);

		for (n = 1; i + n < json_array_size(cpus) && cpu_at(cpus, i + n) == first + (int)n;)
			n++;
		snprintf(list + len, sizeof(list) - len, n > 1 ? " %d-%d" : " %d", first, first + (int)n - 1);
	}
	snprintf(tree->title, sizeof(tree->title), "%s%s%sroot %.20s, %.20s",
	         json_array_size(cpus) > 1 ? "vCPUs"
	         : *list                   ? "vCPU"
	                                   : "",
	         list, *list ? ": " : "", reply_text(object, "root").text, reply_text(object, "format").text);
}

static int load_tree(const json_t *object, struct table_tree *tree)
{
	json_t *nodes = json_object_get(object, "nodes"), *node;
	size_t i;

	if (!json_is_array(nodes) || !tables_address(object, "root", &tree->root))
		return -EPROTO;
	make_title(object, tree);
	tree->node = calloc(json_array_size(nodes) + 1, sizeof(*tree->node));
	if (!tree->node)
		return -ENOMEM;
	json_array_foreach (nodes, i, node)
		if (!load_node(node, &tree->node[tree->nr++]))
			return -EPROTO;
	return 0;
}

int tables_load(json_t *reply, struct tables *ret_tables)
{
	json_t *trees = json_object_get(reply, "trees"), *tree;
	int r = json_is_array(trees) ? 0 : -EPROTO;
	size_t i;

	*ret_tables = (struct tables){.reply = reply,
	                              .memory = json_object_get(reply, "memory"),
	                              .third = json_object_get(reply, "third-stage"),
	                              .cut = json_is_true(json_object_get(reply, "cut"))};
	ret_tables->tree = calloc(json_array_size(trees) + 1, sizeof(*ret_tables->tree));
	if (!ret_tables->tree)
		r = -ENOMEM;
	json_array_foreach (trees, i, tree)
		if (r == 0)
			r = load_tree(tree, &ret_tables->tree[ret_tables->nr++]);
	if (r == -EPROTO)
		log_error("tables: the reply tells of no page tables");
	return r == -ENOMEM ? log_errno(ENOMEM, "tables") : r;
}

void tables_free(struct tables *t)
{
	for (size_t i = 0; i < t->nr; i++)
		free(t->tree[i].node);
	free(t->tree);
	json_decref(t->reply);
	*t = (struct tables){0};
}

/* --- sums --- */

uint64_t table_node_bytes(const struct table_node *n)
{
	return n->entries * level_span(n->level);
}

const char *table_page_name(int level)
{
	static const char *const name[TABLES_LEVELS + 1] = {"", "4 KiB", "2 MiB", "1 GiB", "512 GiB", "256 TiB"};

	return name[level];
}

struct range {
	uint64_t first, bytes;
};

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Bytes that lie in an earlier one, too. Sorts. */
static uint64_t count_again(struct range *range, size_t nr)
{
	uint64_t end = 0, again = 0;

	qsort(range, nr, sizeof(*range), by_first);
	for (size_t i = 0; i < nr; i++) {
		const uint64_t last = range[i].first + range[i].bytes;

		if (range[i].first < end)
			again += (last < end ? last : end) - range[i].first;
		if (last > end)
			end = last;
	}
	return again;
}

/* How many there are, and how many of them more than once. Sorts. */
static void count_tables(struct range *table, size_t nr, struct tables_sum *s)
{
	qsort(table, nr, sizeof(*table), by_first);
	for (size_t i = 0, same; i < nr; i += same) {
		same = 1;
		while (i + same < nr && table[i + same].first == table[i].first)
			same++;
		s->tables++;
		s->shared_tables += same > 1;
	}
	s->places = nr;
}

int tables_sum(const struct table_tree *t, struct tables_sum *ret_sum)
{
	struct range *page = calloc(t->nr + 1, sizeof(*page)), *table = calloc(t->nr + 1, sizeof(*table));
	struct tables_sum s = {0};
	size_t pages = 0, tables = 0;
	uint64_t end = 0;

	if (!page || !table) {
		free(page);
		free(table);
		return log_errno(ENOMEM, "tables");
	}
	table[tables++].first = t->root;
	for (size_t i = 0; i < t->nr; i++) {
		const struct table_node *n = &t->node[i];

		s.entries += n->entries;
		if (!n->leaf) {
			table[tables++].first = n->to;
			continue;
		}
		s.holes += pages && n->first != end;
		end = n->last + 1;
		s.pages[n->level] += n->entries;
		s.bytes += table_node_bytes(n);
		page[pages++] = (struct range){n->to, table_node_bytes(n)};
	}
	s.again = count_again(page, pages);
	count_tables(table, tables, &s);
	free(page);
	free(table);
	*ret_sum = s;
	return 0;
}
