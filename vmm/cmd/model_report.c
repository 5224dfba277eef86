/* SPDX-License-Identifier: MIT */
#include "cmd/model_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct report_column time_columns[] = {
    {"pattern", "pattern", NULL, 0}, {"ws", "set", "MiB", 2},           {"pages", "pages", NULL, 0},
    {"design", "design", NULL, 0},   {"accesses", "accesses", NULL, 0}, {"tlb2", "TLB 2", "%", 2},
    {"walks", "walks", "%", 2},      {"refs", "refs/walk", NULL, 2},    {"refs_p50", "p50", NULL, 0},
    {"refs_p99", "p99", NULL, 0},    {"refs_worst", "worst", NULL, 0},  {"at_l1", "L1", "%", 1},
    {"at_l2", "L2", "%", 1},         {"at_l3", "L3", "%", 1},           {"at_memory", "memory", "%", 1},
    {"walk", "walk", "cycles", 1},   {"access", "access", "cycles", 2}, {"time", "access", "ns", 2},
};

static const struct report_column table_columns[] = {
    {"pattern", "pattern", NULL, 0},
    {"ws", "set", "MiB", 2},
    {"pages", "pages", NULL, 0},
    {"design", "design", NULL, 0},
    {"mapped", "mapped", NULL, 0},
    {"table_bytes", "tables", "KiB", 1},
    {"bytes_per_page", "bytes/page", NULL, 2},
    {"lines", "lines read", NULL, 0},
    {"refs_per_insert", "refs/insert", NULL, 2},
    {"refs_per_remove", "refs/remove", NULL, 2},
    {"resizes", "resizes", NULL, 0},
    {"moved", "moved", NULL, 0},
};

static const struct report_column cpu_columns[] = {
    {"line", "line", NULL, 0},
    {"part", "part", NULL, 0},
    {"value", "value", NULL, 0},
    {"source", "source", NULL, 0},
};

static const struct report_plot time_plot = {.title = "A memory access with its translation",
                                             .panel = "pattern",
                                             .line = "design",
                                             .x = "ws",
                                             .y = "time",
                                             .exact = true};
static const struct report_plot table_plot = {.title = "Bytes of tables for a page",
                                              .panel = "pattern",
                                              .line = "design",
                                              .x = "ws",
                                              .y = "bytes_per_page",
                                              .exact = true};

static struct report *empty(const struct report_layout *layout)
{
	struct report *report = NULL;

	return report_build(layout, NULL, 0, NULL, &report) == 0 ? report : NULL;
}

struct report *model_report_time(void)
{
	static const struct report_layout layout = {"model", time_columns, sizeof(time_columns) / sizeof(*time_columns),
	                                            &time_plot};

	return empty(&layout);
}

struct report *model_report_tables(void)
{
	static const struct report_layout layout = {"model-tables", table_columns,
	                                            sizeof(table_columns) / sizeof(*table_columns), &table_plot};

	return empty(&layout);
}

/* One line of a shape: KEY = VALUE # SOURCE. */
static void add_part(struct report *report, unsigned number, const char *line, size_t len)
{
	char text[512], *equals, *comment, *value;

	snprintf(text, sizeof(text), "%.*s", (int)len, line);
	comment = strchr(text, '#');
	if (comment)
		*comment++ = 0;
	equals = strchr(text, '=');
	if (!equals)
		return;
	*equals = 0;
	value = equals + 1 + strspn(equals + 1, " \t");
	for (char *end = equals - 1; end > text && *end == ' '; end--)
		*end = 0;
	for (char *end = value + strlen(value); end > value && strchr(" \t\r", end[-1]); end--)
		end[-1] = 0;
	report_row(report);
	report_set_number(report, "line", number);
	report_set_text(report, "part", text + strspn(text, " \t"));
	report_set_text(report, "value", value);
	if (comment)
		report_set_text(report, "source", comment + strspn(comment, " \t"));
	else
		report_set_na(report, "source", "the line of the shape has none");
}

struct report *model_report_cpu(const struct model_options *o)
{
	static const struct report_layout layout = {"model-cpu", cpu_columns,
	                                            sizeof(cpu_columns) / sizeof(*cpu_columns), NULL};
	struct report *report = empty(&layout);
	const char *end = o->shape_text + o->shape_len;
	unsigned number = 1;

	for (const char *at = o->shape_text; report && at < end;) {
		const char *newline = memchr(at, '\n', end - at);
		const size_t len = (newline ? newline : end) - at;

		add_part(report, number++, at, len);
		at += len + 1;
	}
	return report;
}

static const char *page_name(int shift)
{
	return shift == 30 ? "1g" : shift == 21 ? "2m" : shift == 12 ? "4k" : "mixed";
}

/* The first columns, which are those of both tables. */
static void add_row(struct report *report, const struct model_result *r)
{
	char pages[16];
	const bool nested =
	    strchr(r->design, '/') || strncmp(r->design, "shadow", 6) == 0 || strncmp(r->design, "agile", 5) == 0;

	snprintf(pages, sizeof(pages), nested ? "%s on %s" : "%s", page_name(r->page_shift),
	         page_name(r->host_page_shift));
	report_row(report);
	report_set_text(report, "pattern", r->pattern);
	if (r->bytes)
		report_set_number(report, "ws", (double)r->bytes / (1 << 20));
	else
		report_set_number(report, "ws", (double)(r->usage.pages << r->page_shift) / (1 << 20));
	report_set_text(report, "pages", pages);
	report_set_text(report, "design", r->design);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void add_time(struct report *report, const struct mmu_counts *c, double ghz)
{
	static const char *const at[MMU_PLACES] = {"at_l1", "at_l2", "at_l3", "at_memory"};
	const double accesses = (double)c->accesses,
	             cycles = (double)(c->translation_cycles + c->data_cycles) / accesses;
	unsigned worst = 0;

	report_set_number(report, "accesses", accesses);
	report_set_number(report, "tlb2", percent(c->tlb2, c->accesses));
	report_set_number(report, "walks", percent(c->walks, c->accesses));
	report_set_number(report, "access", cycles);
	report_set_number(report, "time", cycles / ghz);
	if (!c->walks) {
		report_set_rest_na(report, "no access missed the TLBs");
		return;
	}
	for (unsigned n = 0; n <= MODEL_REFS_MAX; n++)
		if (c->with[n])
			worst = n;
	report_set_number(report, "refs", (double)c->refs / (double)c->walks);
	report_set_number(report, "refs_p50", mmu_counts_percentile(c, 0.5));
	report_set_number(report, "refs_p99", mmu_counts_percentile(c, 0.99));
	report_set_number(report, "refs_worst", worst);
	for (int i = 0; i < MMU_PLACES; i++)
		report_set_number(report, at[i], percent(c->ref_at[i], c->refs));
	report_set_number(report, "walk", (double)c->walk_cycles / (double)c->walks);
}

static void add_tables(struct report *report, const struct model_result *r)
{
	const struct model_usage *u = &r->usage;

	report_set_number(report, "mapped", (double)u->pages);
	report_set_number(report, "table_bytes", (double)u->table_bytes / 1024);
	report_set_number(report, "resizes", (double)u->resizes);
	report_set_number(report, "moved", (double)u->moved);
	if (r->lines)
		report_set_number(report, "lines", (double)r->lines);
	if (u->pages)
		report_set_number(report, "bytes_per_page", (double)u->table_bytes / (double)u->pages);
	if (u->inserts)
		report_set_number(report, "refs_per_insert", (double)u->insert_refs / (double)u->inserts);
	if (u->removes)
		report_set_number(report, "refs_per_remove", (double)u->remove_refs / (double)u->removes);
	else
		report_set_na(report, "refs_per_remove", "no page was unmapped (--churn)");
	report_set_rest_na(report, "no page was mapped");
}

void model_report_add(struct report *time, struct report *tables, const struct model_result *r, double ghz)
{
	add_row(time, r);
	add_row(tables, r);
	if (r->why[0]) {
		report_set_rest_na(time, r->why);
		report_set_rest_na(tables, r->why);
		return;
	}
	if (r->counts.accesses)
		add_time(time, &r->counts, ghz);
	report_set_rest_na(time, "it was interrupted before anything counted");
	add_tables(tables, r);
}
