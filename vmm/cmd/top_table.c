/* SPDX-License-Identifier: MIT */
#include "cmd/top_table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "base/plain.h"
#include "base/terminal.h"

/* What is shown: a row for everything that ever happened, less what the terminal has no room for. */
struct row {
	const char *title; /* of a section that begins here, else NULL */
	const char *name;
	json_int_t total, more; /* more: since the last look */
};

#define MAX_ROWS    512
#define NAME_WIDTH  32
#define TOTAL_WIDTH 17
#define RATE_WIDTH  15

struct table {
	struct row row[MAX_ROWS];
	int nr;
	bool rates; /* there was a look before */
	double seconds;
};

static void add_rows(struct table *t, const char *title, const json_t *now, const json_t *before)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)now, name, value) {
		const json_int_t total = json_integer_value(value);

		if (total == 0 || strncmp(name, "memory_", 7) == 0 || t->nr == MAX_ROWS)
			continue;
		t->row[t->nr++] = (struct row){.title = title,
		                               .name = name,
		                               .total = total,
		                               .more = total - json_integer_value(json_object_get(before, name))};
		title = NULL;
	}
}

/* Lines that the rows take: a section's title stands behind an empty line. */
static int lines(const struct table *t)
{
	int n = t->nr;

	for (int i = 0; i < t->nr; i++)
		n += t->row[i].title ? 2 : 0;
	return n;
}

static void remove_row(struct table *t, int i)
{
	if (t->row[i].title && i + 1 < t->nr && !t->row[i + 1].title)
		t->row[i + 1].title = t->row[i].title;
	memmove(&t->row[i], &t->row[i + 1], (size_t)(--t->nr - i) * sizeof(t->row[0]));
}

/* Makes them fit: first those that stand still go, from the end, then any. Returns how many went. */
static int fit(struct table *t, int room)
{
	const int all = t->nr;

	if (lines(t) <= room)
		return 0;
	for (int i = t->nr - 1; i >= 0 && lines(t) >= room; i--)
		if (t->row[i].more == 0)
			remove_row(t, i);
	while (t->nr && lines(t) >= room)
		remove_row(t, t->nr - 1);
	return all - t->nr;
}

/* A line of at most so many characters, the first one's break before it: a line feed behind the last would scroll. */
static void print_line(int columns, bool first, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void print_line(int columns, bool first, const char *fmt, ...)
{
	char line[1024];
	va_list args;
	int n = 0;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	plain_string(line); /* a path may hold anything */
	/* A byte that continues a character of UTF-8 takes no room. */
	for (char *p = line; *p; p++) {
		n += (*p & 0xc0) != 0x80;
		if (n > columns)
			*p-- = 0;
	}
	printf("%s%s", first ? "" : "\n", line);
}

/* Three columns where there is room, the names cut where there is little. */
static void print_words(int columns, const char *name, const char *total, const char *rate)
{
	const bool wide = columns >= NAME_WIDTH + TOTAL_WIDTH + RATE_WIDTH;
	const int number = columns < TOTAL_WIDTH ? columns : TOTAL_WIDTH;
	const int rest = columns - number < NAME_WIDTH ? columns - number : NAME_WIDTH;

	print_line(columns, false, "%-*.*s%*s%*s", rest, rest, name, number, total, wide ? RATE_WIDTH : 0,
	           wide ? rate : "");
}

static void print_row(const struct table *t, const struct row *row, int columns)
{
	char total[24], rate[32] = "";

	if (row->title) {
		print_line(columns, false, "%s", "");
		print_words(columns, row->title, "total", "a second");
	}
	snprintf(total, sizeof(total), "%lld", (long long)row->total);
	if (t->rates)
		snprintf(rate, sizeof(rate), "%.1f", (double)row->more / t->seconds);
	print_words(columns, row->name, total, rate);
}

static double mib(const struct sample *s, const char *name)
{
	return (double)json_integer_value(json_object_get(s->gnomon, name)) / 1048576;
}

int top_print_table(const char *path, const struct sample *s, const struct sample *before)
{
	/* A terminal that cannot be drawn on gets one table below the other. */
	const bool draws = terminal_draws(STDOUT_FILENO);
	const struct terminal_size size = terminal_size(STDOUT_FILENO);
	struct table t = {.rates = before->gnomon, .seconds = s->time - before->time};
	int left_out;

	add_rows(&t, "Gnomon", s->gnomon, before->gnomon);
	add_rows(&t, "KVM", s->kvm, before->kvm);
	left_out = draws ? fit(&t, size.rows - 1) : 0;
	fputs(draws ? "\033[H\033[2J" : "\n", stdout);
	print_line(size.columns, true, "%s: %s; guest memory %.1f MiB, of it %.1f MiB in the host's memory", path,
	           json_string_value(json_object_get(s->status, "status")), mib(s, "memory_guest"),
	           mib(s, "memory_host"));
	for (int i = 0; i < t.nr; i++)
		print_row(&t, &t.row[i], size.columns);
	if (left_out && size.rows > 1)
		print_line(size.columns, false, "%d more: the terminal has %d rows", left_out, size.rows);
	if (!draws)
		putchar('\n');
	return output_error();
}
