/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gnomon/addr.h>
#include <string.h>

#include "cmd/tables.h"

#define FLAGS_AT 58 /* column */

/* "L1[055-056]" */
static int put_index(const struct table_node *n, FILE *to)
{
	if (n->entries == 1)
		return fprintf(to, "L%d[%03u]", n->level, n->index);
	return fprintf(to, "L%d[%03u-%03u]", n->level, n->index, n->index + n->entries - 1);
}

static void put_node(const struct table_node *n, int indent, FILE *to)
{
	int at =
	    fprintf(to, "%*s[%016llx-%016llx] ", indent, "", (unsigned long long)n->first, (unsigned long long)n->last);

	at += put_index(n, to);
	fprintf(to, "%*s%-18.24s  ", at < FLAGS_AT ? FLAGS_AT - at : 1, "", n->flags);
	if (n->leaf)
		fprintf(to, "-> %016llx  %u x %s", (unsigned long long)n->to, n->entries, table_page_name(n->level));
	else
		fprintf(to, "table %llx", (unsigned long long)n->to);
	if (n->below) {
		fputs(" on ", to);
		tables_put_below(n->below, n->leaf ? table_node_bytes(n) : PAGE_SIZE, to);
	}
	fputc('\n', to);
}

void tables_put_sum(const struct tables_sum *s, FILE *to)
{
	bool any = false;

	fprintf(to, "mapped   %llu KiB", (unsigned long long)s->bytes / 1024);
	for (int level = 1; level <= TABLES_LEVELS; level++) {
		if (!s->pages[level])
			continue;
		fprintf(to, "%s%llu of %s", any ? ", " : " in pages: ", (unsigned long long)s->pages[level],
		        table_page_name(level));
		any = true;
	}
	fprintf(to, "\ntables   %llu", (unsigned long long)s->tables);
	if (s->places > s->tables)
		fprintf(to, " in %llu places", (unsigned long long)s->places);
	fprintf(to, ", %llu KiB", (unsigned long long)s->tables * PAGE_SIZE / 1024);
	if (s->bytes)
		fprintf(to, ", %.6f bytes for each byte mapped", (double)(s->tables * PAGE_SIZE) / (double)s->bytes);
	fprintf(to, "; %llu of %llu entries are used\n", (unsigned long long)s->entries,
	        (unsigned long long)s->places * 512);
	fprintf(to, "holes    %llu between the first and the last page\n", (unsigned long long)s->holes);
	fprintf(to,
	        "shared   %llu tables are linked at more than one place; %llu KiB lead to memory that other pages map, "
	        "too\n",
	        (unsigned long long)s->shared_tables, (unsigned long long)s->again / 1024);
}

int tables_print(const struct tables *t, FILE *to)
{
	for (size_t i = 0; i < t->nr; i++) {
		const struct table_tree *tree = &t->tree[i];
		struct tables_sum sum;
		int top = 0, r = tables_sum(tree, &sum);

		if (r < 0)
			return r;
		fprintf(to, "%s%s\n", i ? "\n" : "", tree->title);
		for (size_t k = 0; k < tree->nr; k++) {
			if (tree->node[k].level > top)
				top = tree->node[k].level;
			put_node(&tree->node[k], 2 * (top - tree->node[k].level), to);
		}
		tables_put_sum(&sum, to);
		tables_put_below_sum(tree, to);
	}
	if (t->memory)
		tables_put_memory(t->memory, to);
	if (t->third)
		tables_put_enclaves(t->reply, to);
	if (tables_put_shared(t, to) < 0)
		return -ENOMEM;
	if (t->cut)
		fputs("More was left out: there are too many tables or entries. --address shows a part.\n", to);
	return 0;
}

/* Where the page of `frame` lies in a leaf that maps it. */
static bool leads_to(const struct table_node *n, uint64_t frame, uint64_t *ret_at)
{
	const uint64_t offset = frame * PAGE_SIZE - n->to;

	*ret_at = n->first + offset;
	return n->leaf ? offset < table_node_bytes(n) : n->to == frame * PAGE_SIZE;
}

void tables_print_frame(const struct tables *t, uint64_t frame, FILE *to)
{
	uint64_t found = 0, at;

	for (size_t i = 0; i < t->nr; i++) {
		const struct table_tree *tree = &t->tree[i];

		if (tree->root == frame * PAGE_SIZE)
			fprintf(to, "frame 0x%llx is the root of %s\n", (unsigned long long)frame, tree->title),
			    found++;
		for (size_t k = 0; k < tree->nr; k++) {
			const struct table_node *n = &tree->node[k];

			if (!leads_to(n, frame, &at))
				continue;
			found++;
			fprintf(to, "%s: frame 0x%llx is ", tree->title, (unsigned long long)frame);
			if (n->leaf)
				fprintf(to, "mapped at 0x%016llx by a page of %s, ", (unsigned long long)at,
				        table_page_name(n->level));
			else
				fprintf(to, "the table of level %d for 0x%016llx, ", n->level - 1,
				        (unsigned long long)n->first);
			fprintf(to, "%s", n->flags);
			if (n->below && n->entries == 1) {
				fputs(", on ", to);
				tables_put_below(n->below, n->leaf ? table_node_bytes(n) : PAGE_SIZE, to);
			}
			fputc('\n', to);
		}
	}
	if (!found)
		fprintf(to, "no entry leads to frame 0x%llx\n", (unsigned long long)frame);
	if (t->cut)
		fputs("More was left out: there are too many tables or entries.\n", to);
}
