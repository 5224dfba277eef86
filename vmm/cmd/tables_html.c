/* SPDX-License-Identifier: MIT */
/* Trees as a page that unfolds: a <details> for each table. It has no script and asks for nothing from elsewhere. */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>

#include "base/markup.h"
#include "cmd/tables.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>gnomon tables</title>\n<style>\n"
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#595959;--rule:#d5d5d5;--c:#0072b2}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181c;--fg:#e8e8e8;--dim:#a8a8a8;--rule:#3b3f46;--c:#56b4e9}}\n"
    "body{margin:0 auto;max-width:80rem;padding:1rem;background:var(--bg);color:var(--fg);"
    "font:.875rem/1.6 ui-monospace,monospace}\n"
    "h1,h2{font-family:system-ui,sans-serif}h1{font-size:1.4rem}h2{font-size:1.1rem}\n"
    "details>*:not(summary){margin-left:1.5rem}details{border-left:1px solid var(--rule)}summary{cursor:pointer}"
    "summary:focus-visible{outline:2px solid var(--c)}details div,summary{white-space:pre}.scroll{overflow-x:auto}"
    ".d{color:var(--dim)}.c{color:var(--c)}pre{white-space:pre-wrap}\n</style>\n</head>\n<body>\n";

static void put_node(const struct table_node *n, FILE *to)
{
	fprintf(to, "<span class=\"c\">L%d</span> %03u", n->level, n->index);
	if (n->entries > 1)
		fprintf(to, "-%03u", n->index + n->entries - 1);
	fprintf(to, "  %016llx-%016llx  ", (unsigned long long)n->first, (unsigned long long)n->last);
	markup_text(n->flags, to);
	if (n->leaf)
		fprintf(to, "  -&gt; %llx <span class=\"d\">%u x %s</span>", (unsigned long long)n->to, n->entries,
		        table_page_name(n->level));
	else
		fprintf(to, "  <span class=\"d\">table %llx, entry %llx</span>", (unsigned long long)n->to,
		        (unsigned long long)n->entry);
	if (n->below) {
		fputs(" on ", to);
		tables_put_below(n->below, n->leaf ? table_node_bytes(n) : PAGE_SIZE, to);
	}
}

static void put_tree(const struct table_tree *t, FILE *to)
{
	int open[TABLES_LEVELS + 1], depth = 0; /* levels of the tables that are open */

	for (size_t i = 0; i < t->nr; i++) {
		const struct table_node *n = &t->node[i];

		for (; depth && open[depth - 1] <= n->level; depth--)
			fputs("</details>\n", to);
		fputs(n->leaf ? "<div>" : depth ? "<details><summary>" : "<details open><summary>", to);
		put_node(n, to);
		fputs(n->leaf ? "</div>\n" : "</summary>\n", to);
		if (!n->leaf)
			open[depth++] = n->level;
	}
	while (depth--)
		fputs("</details>\n", to);
}

/* What there is in place of trees. */
static int put_sizes(const struct tables *t, FILE *to)
{
	if (t->memory)
		tables_put_memory(t->memory, to);
	if (t->third)
		tables_put_enclaves(t->reply, to);
	return 0;
}

static int put_text(const struct tables *t, int (*put)(const struct tables *t, FILE *to), FILE *to)
{
	char *text = NULL;
	size_t len;
	FILE *lines = open_memstream(&text, &len);
	int r = lines ? put(t, lines) : log_errno(ENOMEM, "--html");

	if (lines && fclose(lines) == EOF && r == 0)
		r = log_errno(ENOMEM, "--html");
	if (r == 0 && *text) {
		fputs("<pre>", to);
		markup_text(text, to);
		fputs("</pre>\n", to);
	}
	free(text);
	return r;
}

int tables_write_html(const struct tables *t, FILE *to)
{
	fprintf(to, "%s<h1>Page tables</h1>\n", head);
	for (size_t i = 0; i < t->nr; i++) {
		struct tables_sum sum;
		const int r = tables_sum(&t->tree[i], &sum);

		if (r < 0)
			return r;
		fputs("<h2>", to);
		markup_text(t->tree[i].title, to);
		fputs("</h2>\n<pre>", to);
		tables_put_sum(&sum, to);
		tables_put_below_sum(&t->tree[i], to);
		fputs("</pre>\n<div class=\"scroll\">\n", to);
		put_tree(&t->tree[i], to);
		fputs("</div>\n", to);
	}
	if (put_text(t, put_sizes, to) < 0 || put_text(t, tables_put_shared, to) < 0)
		return -ENOMEM;
	if (t->cut)
		fputs("<p>More was left out: there are too many tables or entries.</p>\n", to);
	fputs("</body>\n</html>\n", to);
	return 0;
}
