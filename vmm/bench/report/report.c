/* SPDX-License-Identifier: MIT */
/* Tables being filled, and the environment they were measured in. */
#include "bench/report/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/plain.h"
#include "bench/report/report_parts.h"

struct report *report_new(const char *name, const struct report_column *columns, size_t nr_columns)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r) {
		r->name = name;
		r->column = columns;
		r->nr_columns = nr_columns;
	}
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nr_rows * r->nr_columns; i++)
		free(r->cell[i].text);
	free(r->cell);
	free(r);
}

int report_build(const struct report_layout *layout, const void *results, size_t nr, report_add *add,
                 struct report **ret_report)
{
	struct report *report = report_new(layout->name, layout->columns, layout->nr_columns);
	int r = report ? 0 : -ENOMEM;

	if (report)
		report->plot = layout->plot;
	for (size_t i = 0; r == 0 && i < nr; i++)
		r = add(report, results, i);
	if (r == 0)
		*ret_report = report;
	else
		report_free(report);
	return r;
}

void report_row(struct report *r)
{
	if (r->nr_rows == r->room) {
		const size_t room = r->room ? 2 * r->room : 16;
		struct cell *more = reallocarray(r->cell, room * r->nr_columns, sizeof(*more));

		if (!more) {
			r->error = -ENOMEM;
			return;
		}
		r->cell = more;
		r->room = room;
	}
	memset(r->cell + r->nr_rows * r->nr_columns, 0, r->nr_columns * sizeof(struct cell));
	r->nr_rows++;
}

/* Of the newest row. */
static struct cell *cell_of(const struct report *r, const char *column)
{
	size_t c = 0;

	while (c < r->nr_columns && strcmp(r->column[c].name, column) != 0)
		c++;
	BUG_ON(c == r->nr_columns || r->nr_rows == 0);
	return &r->cell[(r->nr_rows - 1) * r->nr_columns + c];
}

static void set_cell(struct report *r, const char *column, enum cell_kind kind, double number, const char *text)
{
	struct cell *cell;

	if (r->error)
		return;
	cell = cell_of(r, column);
	free(cell->text);
	*cell = (struct cell){.kind = kind, .number = number, .text = text ? strdup(text) : NULL};
	if (text && !cell->text)
		r->error = -ENOMEM;
}

void report_set_text(struct report *r, const char *column, const char *text)
{
	set_cell(r, column, CELL_TEXT, 0, text);
}

void report_set_number(struct report *r, const char *column, double value)
{
	if (isfinite(value))
		set_cell(r, column, CELL_NUMBER, value, NULL);
	else
		report_set_na(r, column, "not a finite number");
}

void report_set_range(struct report *r, const char *column, unsigned low, unsigned high)
{
	set_cell(r, column, CELL_RANGE, low, NULL);
	if (!r->error)
		cell_of(r, column)->high = high;
}

void report_set_na(struct report *r, const char *column, const char *reason)
{
	set_cell(r, column, CELL_NA, 0, reason);
}

void report_set_rest_na(struct report *r, const char *reason)
{
	for (size_t c = 0; !r->error && c < r->nr_columns; c++) {
		const struct cell *cell = report_cell(r, r->nr_rows - 1, c);

		if (cell->kind == CELL_NA && !cell->text)
			report_set_na(r, r->column[c].name, reason);
	}
}

static void set_end(struct report *r, const char *name, const char *end, double value)
{
	char column[64], reason[64];

	snprintf(column, sizeof(column), "%s_ci_%s", name, end);
	snprintf(reason, sizeof(reason), "fewer than %d samples have no 95%% interval", STATS_FEWEST);
	if (isinf(value))
		report_set_na(r, column, reason);
	else
		report_set_number(r, column, value);
}

void report_set_interval(struct report *r, const char *name, double low, double high)
{
	set_end(r, name, "low", low);
	set_end(r, name, "high", high);
}

void report_set_ratio(struct report *r, const char *name, const struct stats_ratio *ratio)
{
	report_set_number(r, name, ratio->median);
	report_set_interval(r, name, ratio->ci_low, ratio->ci_high);
}

static const char *or_unknown(const char *s)
{
	return *s ? s : "unknown";
}

void report_environment_capture(const struct host_info *info, struct report_environment *ret_env)
{
	struct report_environment e = {.gnomon = GNOMON_VERSION,
	                               .cpus = info->cpus,
	                               .second_stage = host_second_stage_label(info),
	                               .emulator = host_emulator_name(info->emulator)};
	const time_t now = time(NULL);
	struct utsname u;
	struct tm tm;

	strftime(e.date, sizeof(e.date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	snprintf(e.host, sizeof(e.host), "%.95s", uname(&u) == 0 ? or_unknown(u.nodename) : "unknown");
	plain_string(e.host);
	strcpy(e.kernel, or_unknown(info->kernel));
	strcpy(e.cpu, or_unknown(info->cpu_model));
	strcpy(e.thp, or_unknown(info->thp_enabled));
	strcpy(e.thp_shmem, or_unknown(info->thp_shmem));
	*ret_env = e;
}
