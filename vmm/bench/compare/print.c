/* SPDX-License-Identifier: MIT */
/* A comparison for people: tables of report.h, and a few sentences. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare/compare_parts.h"
#include "bench/report/report.h"

#define CELL_TEXT 768

/* "other" beside one base; of several files their numbers on the command line. */
struct titles {
	char base[8], other[COMPARE_MAX_FILES][32], change[COMPARE_MAX_FILES][32], verdict[COMPARE_MAX_FILES][32];
};

static void make_titles(struct titles *t, size_t nr_files)
{
	strcpy(t->base, "base");
	for (size_t f = 1; f < nr_files; f++) {
		snprintf(t->other[f], sizeof(t->other[f]), nr_files > 2 ? "file %zu" : "other", f + 1);
		snprintf(t->change[f], sizeof(t->change[f]), "change %zu", f + 1);
		snprintf(t->verdict[f], sizeof(t->verdict[f]), "verdict %zu", f + 1);
	}
}

static int print_report(struct report *r, FILE *to)
{
	const int status = r ? report_print(r, to) : -ENOMEM;

	report_free(r);
	return status;
}

static const char *environment_text(const struct compare_file *file, const char *key, char buf[CELL_TEXT])
{
	const json_t *value = json_object_get(file->environment, key);
	char *text;

	if (json_is_string(value)) {
		snprintf(buf, CELL_TEXT, "%s", json_string_value(value));
		return buf;
	}
	text = value && !json_is_null(value) ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	snprintf(buf, CELL_TEXT, "%s", text ? text : "unknown");
	free(text);
	return buf;
}

static bool differs(const struct comparison *c, const char *key)
{
	for (size_t f = 1; f < c->nr_files; f++)
		if (!json_equal(json_object_get(c->file[0]->environment, key),
		                json_object_get(c->file[f]->environment, key)) &&
		    (json_object_get(c->file[0]->environment, key) || json_object_get(c->file[f]->environment, key)))
			return true;
	return false;
}

/* Whether an earlier file's environment has the key: it is printed once. */
static bool is_known(const struct comparison *c, size_t file, const char *key)
{
	for (size_t f = 0; f < file; f++)
		if (json_object_get(c->file[f]->environment, key))
			return true;
	return false;
}

static void add_environment(struct report *r, const struct comparison *c, const struct titles *t, const char *key)
{
	char buf[CELL_TEXT];

	report_row(r);
	report_set_text(r, "what", key ? key : "file");
	for (size_t f = 0; f < c->nr_files; f++)
		report_set_text(r, f ? t->other[f] : t->base,
		                key ? environment_text(c->file[f], key, buf) : c->file[f]->name);
}

static int print_environments(const struct comparison *c, const struct titles *t, FILE *to)
{
	struct report_column column[COMPARE_MAX_FILES + 1] = {{"what", "environment", NULL, 0}};
	struct report *r;
	const char *key;
	json_t *unused;

	for (size_t f = 0; f < c->nr_files; f++) {
		const char *name = f ? t->other[f] : t->base;

		column[f + 1] = (struct report_column){name, name, NULL, 0};
	}
	r = report_new("environment", column, c->nr_files + 1);
	if (!r)
		return -ENOMEM;
	add_environment(r, c, t, NULL);
	for (size_t f = 0; f < c->nr_files; f++) {
		json_object_foreach (c->file[f]->environment, key, unused) {
			if (!is_known(c, f, key) && differs(c, key))
				add_environment(r, c, t, key);
		}
	}
	return print_report(r, to);
}

/* Four digits that count. */
static const char *number(double value, char *buf, size_t size)
{
	const double a = fabs(value);
	const int decimals = a >= 1000 ? 0 : a >= 100 ? 1 : a >= 10 ? 2 : 3;

	if (a >= 1e15 || (a > 0 && a < 1))
		snprintf(buf, size, "%.4g", value);
	else
		snprintf(buf, size, "%.*f", decimals, value);
	return buf;
}

static const char *cell_text(const struct compare_cell *cell, char buf[CELL_TEXT])
{
	char value[32], low[32], high[32];

	if (!cell->is_there)
		return "-";
	if (!cell->is_measured)
		return "n/a";
	number(cell->value, value, sizeof(value));
	if (!cell->has_interval)
		snprintf(buf, CELL_TEXT, "%s", value);
	else
		snprintf(buf, CELL_TEXT, "%s (%s to %s)", value, number(cell->low, low, sizeof(low)),
		         number(cell->high, high, sizeof(high)));
	return buf;
}

static const char *change_text(const struct compare_cell *base, const struct compare_cell *cell, char buf[CELL_TEXT])
{
	if (cell->verdict < COMPARE_NOISE || cell->verdict > COMPARE_BETTER)
		return "";
	if (!isfinite(cell->change) && base->value == 0)
		return "from 0";
	snprintf(buf, CELL_TEXT, fabs(cell->change) < 1e6 ? "%+.1f %%" : "%+.3g %%", cell->change);
	return buf;
}

static const char *verdict_text(const struct compare_item *item, size_t file, char buf[CELL_TEXT])
{
	const struct compare_cell *base = &item->cell[0], *cell = &item->cell[file];
	const char *name = compare_verdict_name(cell->verdict);

	if (cell->verdict == COMPARE_NOT_MEASURED)
		snprintf(buf, CELL_TEXT, "%s: %s%.600s", name,
		         cell->na ? "" : "in the base: ", cell->na ? cell->na : base->na);
	else
		snprintf(buf, CELL_TEXT, "%s%s", name, cell->by_threshold ? " (no interval)" : "");
	return cell->verdict == COMPARE_ABSENT ? "" : buf;
}

/* A value that is n/a in both is as it was. */
static bool is_changed(const struct compare_item *item, size_t file)
{
	const struct compare_cell *cell = &item->cell[file];

	if (cell->verdict == COMPARE_NOT_MEASURED)
		return item->cell[0].is_measured || cell->is_measured;
	return cell->verdict >= COMPARE_WORSE;
}

static void add_item(struct report *r, const struct comparison *c, const struct titles *t,
                     const struct compare_item *item)
{
	char buf[CELL_TEXT];

	report_row(r);
	report_set_text(r, "table", item->table);
	report_set_text(r, "row", c->row[item->row]);
	snprintf(buf, sizeof(buf), item->unit ? "%.300s (%.300s)" : "%.300s", item->value, item->unit);
	report_set_text(r, "value", buf);
	report_set_text(r, t->base, cell_text(&item->cell[0], buf));
	for (size_t f = 1; f < c->nr_files; f++) {
		report_set_text(r, t->other[f], cell_text(&item->cell[f], buf));
		report_set_text(r, t->change[f], change_text(&item->cell[0], &item->cell[f], buf));
		report_set_text(r, t->verdict[f], verdict_text(item, f, buf));
	}
}

static int print_items(const struct comparison *c, const struct titles *t, bool all, FILE *to)
{
	struct report_column column[4 + 3 * COMPARE_MAX_FILES] = {{"table", "table", NULL, 0},
	                                                          {"row", "row", NULL, 0},
	                                                          {"value", "value", NULL, 0},
	                                                          {t->base, "base", NULL, 0}};
	struct report *r;
	size_t nr = 4, rows = 0;

	for (size_t f = 1; f < c->nr_files; f++) {
		column[nr++] = (struct report_column){t->other[f], t->other[f], NULL, 0};
		column[nr++] = (struct report_column){t->change[f], "change", NULL, 0};
		column[nr++] = (struct report_column){t->verdict[f], "verdict", NULL, 0};
	}
	r = report_new("compare", column, nr);
	for (size_t i = 0; r && i < c->nr_items; i++) {
		bool shown = all;

		for (size_t f = 1; f < c->nr_files; f++)
			shown |= is_changed(&c->item[i], f);
		if (!shown)
			continue;
		add_item(r, c, t, &c->item[i]);
		rows++;
	}
	if (r && !rows) {
		report_free(r);
		return 0;
	}
	fputc('\n', to);
	return print_report(r, to);
}

/* Tables that were not compared: another choice of workloads. */
static void print_lonely(const struct compare_file *has, const struct compare_file *lacks, FILE *to)
{
	for (size_t t = 0; t < has->nr_tables; t++)
		if (!compare_find_table(lacks, has->table[t].name))
			fprintf(to, "Table %s is not in %s: not compared.\n", has->table[t].name, lacks->name);
}

/* What times depend on, so that a change may be its, and not of what was changed. */
static void print_elsewhere(const struct comparison *c, FILE *to)
{
	static const char *const matters[] = {"host",         "cpu",      "cpus",   "kernel",
	                                      "second_stage", "emulator", "gnomon", NULL};
	const char *comma = "";

	for (size_t k = 0; matters[k]; k++) {
		if (!differs(c, matters[k]))
			continue;
		fprintf(to, "%s%s", *comma ? comma : "Not the same: ", matters[k]);
		comma = ", ";
	}
	if (*comma)
		fputs(". What changed may come from that.\n", to);
}

/* Of these a run may not be called as good as the base. */
static void print_missing(const struct comparison *c, FILE *to)
{
	for (size_t f = 1; f < c->nr_files; f++) {
		size_t missing = 0;

		for (size_t i = 0; i < c->nr_items; i++)
			missing += c->item[i].cell[0].is_measured && !c->item[i].cell[f].is_measured &&
			           compare_find_table(c->file[f], c->item[i].table);
		if (missing)
			fprintf(to, "%zu values that %s has were not measured in %s: nothing is said of them.\n",
			        missing, c->file[0]->name, c->file[f]->name);
	}
}

static void print_totals(const struct comparison *c, FILE *to)
{
	fputc('\n', to);
	for (size_t f = 1; f < c->nr_files; f++) {
		const char *comma = "";

		fprintf(to, "%s against %s: ", c->file[f]->name, c->file[0]->name);
		for (int v = COMPARE_ABSENT + 1; v < COMPARE_NR_VERDICTS; v++) {
			if (!c->count[f][v])
				continue;
			fprintf(to, "%s%zu %s", comma, c->count[f][v], compare_verdict_name(v));
			comma = ", ";
		}
		fprintf(to, "; threshold %g %%\n", c->threshold);
	}
	for (size_t f = 1; f < c->nr_files; f++) {
		print_lonely(c->file[0], c->file[f], to);
		print_lonely(c->file[f], c->file[0], to);
	}
	if (c->by_threshold)
		fprintf(to, "%zu comparisons are without intervals: for them the threshold alone decides.\n",
		        c->by_threshold);
	print_missing(c, to);
	print_elsewhere(c, to);
}

int comparison_print(const struct comparison *c, bool all, FILE *to)
{
	struct titles t;
	int r;

	make_titles(&t, c->nr_files);
	r = print_environments(c, &t, to);
	if (r == 0)
		r = print_items(c, &t, all, to);
	if (r == 0)
		print_totals(c, to);
	return r < 0 ? r : fflush(to) || ferror(to) ? -EIO : 0;
}
