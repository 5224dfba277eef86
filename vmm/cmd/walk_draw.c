/* SPDX-License-Identifier: MIT */
/*
 * The picture of a two-dimensional walk that the papers have, with this guest's numbers:
 *
 *              nL4   nL3   nL2   nL1    guest
 *      gL4   [  1 ][  2 ][  3 ][  4 ] [   5   ]
 *      ...
 *      data  [ 21 ][ 22 ][ 23 ][ 24 ]
 *
 * A box that no reference was made for is dashed.
 */
#include <stdbool.h>
#include <string.h>

#include "base/markup.h"
#include "cmd/reply.h"
#include "cmd/walk.h"

#define LEVELS 4
#define WIDE   196
#define HIGH   74
#define GAP    12
#define LEFT   70
#define TOP    96

/* Colours by Okabe and Ito, as in the pages of `gnomon bench`. */
static const char style[] =
    "svg{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#595959;--g:#c44e00;--s:#0072b2;--h:#00795a}"
    "@media(prefers-color-scheme:dark){svg{--bg:#16181c;--fg:#e8e8e8;--dim:#a8a8a8;--g:#ff8c42;--s:#56b4e9;--h:#2bd4a4}"
    "}"
    ".bg{fill:var(--bg)}text{fill:var(--fg);font:12px ui-monospace,monospace}.t{font:600 16px sans-serif}"
    ".w{font:13px sans-serif}.d{fill:var(--dim)}rect.r{fill:none;stroke-width:2}.g{stroke:var(--g)}.s{stroke:var(--s)}"
    ".h{stroke:var(--h)}.n{stroke:var(--dim);stroke-width:1!important;stroke-dasharray:4 4}.b{font-weight:700}";

static int column_x(int column)
{
	return LEFT + column * (WIDE + GAP);
}

static int row_y(int row)
{
	return TOP + row * (HIGH + GAP);
}

static void put_text(FILE *to, int x, int y, const char *class, const char *text)
{
	fprintf(to, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
	markup_text(text, to);
	fputs("</text>\n", to);
}

static void put_box(FILE *to, int column, int row, const char *class)
{
	fprintf(to, "<rect class=\"r %s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\"/>\n", class,
	        column_x(column), row_y(row), WIDE, HIGH);
}

static void put_reference(FILE *to, int column, int row, const char *class, size_t n, const json_t *r)
{
	const int x = column_x(column) + 8, y = row_y(row);
	char line[64];

	put_box(to, column, row, class);
	snprintf(line, sizeof(line), "%zu", n);
	put_text(to, x, y + 17, "b", line);
	snprintf(line, sizeof(line), "at %.18s", reply_text(r, "at").text);
	put_text(to, x + 28, y + 17, "d", line);
	put_text(to, x, y + 34, "", reply_text(r, "entry").text);
	put_text(to, x, y + 50, "", reply_text(r, "flags").text);
	snprintf(line, sizeof(line), "%s", walk_target(r));
	put_text(to, x, y + 66, "d", line);
}

/* Where a reference stands in the grid: guest entries in the last column. False: nowhere. */
static bool place(const json_t *r, int *ret_column, int *ret_row)
{
	const long long level = reply_number(r, "level"), row = reply_number(r, "row");
	const bool guest = strcmp(reply_text(r, "table").text, "guest") == 0;

	if (row < 0 || row > LEVELS || level < 1 || level > LEVELS)
		return false;
	*ret_column = guest ? LEVELS : LEVELS - (int)level;
	*ret_row = LEVELS - (int)row;
	return true;
}

static void draw_grid(json_t *list, int first_row, FILE *to)
{
	bool made[LEVELS + 1][LEVELS + 1] = {0};
	int column, row;
	json_t *r;
	size_t i;

	json_array_foreach (list, i, r) {
		if (!place(r, &column, &row) || made[row][column])
			continue;
		made[row][column] = true;
		put_reference(to, column, first_row + row, column == LEVELS ? "g" : "s", i + 1, r);
	}
	for (row = 0; row <= LEVELS; row++) {
		char label[20] = "data";

		if (row < LEVELS)
			snprintf(label, sizeof(label), "gL%d", LEVELS - row);
		put_text(to, 16, row_y(first_row + row) + HIGH / 2, "b", label);
		for (column = 0; column <= LEVELS; column++)
			if (!made[row][column] && !(row == LEVELS && column == LEVELS))
				put_box(to, column, first_row + row, "n");
	}
}

static void draw_shadow(json_t *list, FILE *to)
{
	json_t *r;
	size_t i;

	put_text(to, 16, row_y(0) + HIGH / 2, "b", "shadow");
	for (int column = 0; column < LEVELS; column++) {
		r = json_array_get(list, column);
		if (!r)
			put_box(to, column, 0, "n");
	}
	json_array_foreach (list, i, r)
		if (i < LEVELS)
			put_reference(to, (int)i, 0, "h", i + 1, r);
}

static void draw_head(const json_t *reply, FILE *to)
{
	char line[400];

	snprintf(line, sizeof(line), "%.20s: %s mode, vCPU %lld, CR3 %.20s", reply_text(reply, "address").text,
	         reply_text(reply, "mode").text, reply_number(reply, "cpu"),
	         reply_text(json_object_get(reply, "registers"), "cr3").text);
	put_text(to, 16, 28, "t", line);
	snprintf(line, sizeof(line), "%s%s%s", walk_fault(reply).text, *walk_fault(reply).text ? ". " : "",
	         reply_text(reply, "sentence").text);
	put_text(to, 16, 50, "w", line);
}

void walk_draw(json_t *reply, FILE *to)
{
	const bool shadow = json_object_get(reply, "shadow-end");
	const int rows = LEVELS + 1 + shadow, height = row_y(rows) + 40, width = column_x(LEVELS + 1) + 4;
	char label[40];

	fprintf(to,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
	        "role=\"img\"><title>A page walk</title><style>%s</style>\n<rect class=\"bg\" width=\"%d\" "
	        "height=\"%d\"/>\n",
	        width, height, width, height, style, width, height);
	draw_head(reply, to);
	for (int i = 0; i < LEVELS; i++) {
		snprintf(label, sizeof(label), shadow ? "nL%d (row 1: sL%d)" : "nL%d", LEVELS - i, LEVELS - i);
		put_text(to, column_x(i), TOP - 12, "b", label);
	}
	put_text(to, column_x(LEVELS), TOP - 12, "b", "guest's entry");
	if (shadow)
		draw_shadow(json_object_get(reply, "shadow"), to);
	draw_grid(json_object_get(reply, "guest"), shadow, to);
	snprintf(label, sizeof(label), "guest physical %.18s", reply_text(reply, "gpa").text);
	if (json_object_get(reply, "gpa"))
		put_text(to, column_x(LEVELS), row_y(rows - 1) + 20, "b", label);
	put_text(to, 16, row_y(rows) + 20, "d w", reply_text(reply, "known").text);
	fputs("</svg>\n", to);
}
