/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "cmd/tables.h"

#define MAX_TABLES 32 /* that are told */
#define MAX_PLACES 8  /* of each */

struct place {
	uint64_t table;
	const struct table_tree *tree;
	const struct table_node *node; /* NULL: it is the tree's root */
};

/* By table, then in the order of the reply. */
static int by_table(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->table != y->table)
		return x->table > y->table ? 1 : -1;
	if (x->tree != y->tree)
		return x->tree > y->tree ? 1 : -1;
	return (x->node > y->node) - (x->node < y->node);
}

static struct place *gather(const struct tables *t, size_t *ret_nr)
{
	struct place *place;
	size_t nr = 0;

	for (size_t i = 0; i < t->nr; i++)
		nr += 1 + t->tree[i].nr;
	place = calloc(nr + 1, sizeof(*place));
	nr = 0;
	for (size_t i = 0; place && i < t->nr; i++) {
		const struct table_tree *tree = &t->tree[i];

		place[nr++] = (struct place){tree->root, tree, NULL};
		for (size_t k = 0; k < tree->nr; k++)
			if (!tree->node[k].leaf)
				place[nr++] = (struct place){tree->node[k].to, tree, &tree->node[k]};
	}
	*ret_nr = nr;
	return place;
}

static void put_table(const struct place *place, size_t nr, FILE *to)
{
	fprintf(to, "table %llx\n", (unsigned long long)place->table);
	for (size_t i = 0; i < nr && i < MAX_PLACES; i++) {
		const struct table_node *n = place[i].node;

		fprintf(to, "  %s: ", place[i].tree->title);
		if (n)
			fprintf(to, "L%d[%03u], from %016llx on\n", n->level, n->index, (unsigned long long)n->first);
		else
			fputs("the root\n", to);
	}
	if (nr > MAX_PLACES)
		fprintf(to, "  and %zu more\n", nr - MAX_PLACES);
}

int tables_put_shared(const struct tables *t, FILE *to)
{
	size_t nr, told = 0;
	struct place *place = gather(t, &nr);

	if (!place)
		return log_errno(ENOMEM, "tables");
	qsort(place, nr, sizeof(*place), by_table);
	for (size_t first = 0, end; first < nr; first = end) {
		for (end = first + 1; end < nr && place[end].table == place[first].table;)
			end++;
		if (end - first == 1)
			continue;
		if (told++ == 0)
			fputs("\nTables that are linked at more than one place:\n", to);
		if (told <= MAX_TABLES)
			put_table(place + first, end - first, to);
	}
	if (told > MAX_TABLES)
		fprintf(to, "and %zu more\n", told - MAX_TABLES);
	free(place);
	return 0;
}
