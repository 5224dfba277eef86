/* SPDX-License-Identifier: MIT */
#include "cmd/report_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "base/output.h"
#include "cmd/bench_plot.h"

static const char *const names[REPORT_NR_FORMATS] = {"--json", "--csv", "--html"};

bool report_is_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

bool report_files_use_stdout(const struct report_files *f)
{
	for (int i = 0; i < REPORT_NR_FORMATS; i++)
		if (report_is_stdout(f->out[i]))
			return true;
	return false;
}

/* What `-` is to outfile.h. */
static const char *place_of(const char *path)
{
	return report_is_stdout(path) ? OUTFILE_STDOUT : path;
}

static bool is_file(const char *path)
{
	return path && !report_is_stdout(path);
}

bool report_files_any(const struct report_files *f)
{
	for (int i = 0; i < REPORT_NR_FORMATS; i++)
		if (is_file(f->out[i]))
			return true;
	return f->plot;
}

int report_files_check_stdout(const struct report_files *f)
{
	int first = -1;

	for (int i = 0; i < REPORT_NR_FORMATS; i++) {
		if (!report_is_stdout(f->out[i]))
			continue;
		if (first >= 0) {
			log_error("%s and %s cannot both go to stdout", names[first], names[i]);
			return -EINVAL;
		}
		first = i;
	}
	return 0;
}

/* What results go to, or NULL: it can be written, and is none of those that are read. -errno, logged. */
static int check_output(int format, const char *path, const char *const *input, const char *what, size_t room)
{
	if (!path)
		return 0;
	for (; *input; input++)
		if (outfile_same(place_of(path), *input)) {
			log_error("%s: %s is what shall be %s", names[format], path, what);
			return -EINVAL;
		}
	return is_file(path) ? outfile_check_room(names[format], path, room) : 0;
}

/* The directory of --plot is there by now. -EINVAL, logged: one of its files would be another output. */
static int check_plot(const struct report_files *f)
{
	for (int i = 0; i < REPORT_NR_FORMATS; i++) {
		if (!f->out[i] || !bench_plot_takes(f->plot, place_of(f->out[i])))
			continue;
		log_error("%s: %s is a file that --plot may write: " BENCH_PLOT_FILES " in %s are its own", names[i],
		          f->out[i], f->plot);
		return -EINVAL;
	}
	return 0;
}

int report_files_check_apart(const struct report_files *f, const char *path, const char *what)
{
	const char *place = strcmp(path, "-") == 0 ? OUTFILE_STDIN : path;

	for (int i = 0; i < REPORT_NR_FORMATS; i++) {
		if (!f->out[i] || !outfile_same(place_of(f->out[i]), place))
			continue;
		log_error("%s: %s is %s", names[i], f->out[i], what);
		return -EINVAL;
	}
	if (f->plot && bench_plot_takes(f->plot, place)) {
		log_error("--plot: %s is %s, and " BENCH_PLOT_FILES " in %s are for tables", path, what, f->plot);
		return -EINVAL;
	}
	return 0;
}

int report_files_check(const struct report_files *f, const char *const *input, const char *what, size_t room)
{
	int r = 0;

	for (int b = 0; b < REPORT_NR_FORMATS; b++) {
		for (int a = 0; a < b; a++) {
			if (!f->out[a] || !f->out[b] || !outfile_same(place_of(f->out[a]), place_of(f->out[b])))
				continue;
			log_error("%s and %s cannot both go to %s", names[a], names[b],
			          is_file(f->out[b]) ? f->out[b] : "stdout");
			return -EINVAL;
		}
	}
	for (int i = 0; r == 0 && i < REPORT_NR_FORMATS; i++)
		r = check_output(i, f->out[i], input, what, room);
	if (r == 0 && f->plot)
		r = bench_plot_check(f->plot, room);
	return r == 0 && f->plot ? check_plot(f) : r;
}

/* All tables; with their environment as JSON or HTML. */
static int write_tables(const struct report_results *s, enum report_format f, FILE *to)
{
	if (f == REPORT_JSON)
		return report_write_json(s->env, s->table, s->nr_tables, to);
	if (f == REPORT_HTML)
		return report_write_html(s->env, s->section, s->nr_sections, to);
	return report_write_csv_all(s->table, s->nr_tables, to);
}

static int write_file(const struct report_results *s, enum report_format f, const char *path)
{
	char *text = NULL;
	size_t len;
	FILE *to;
	int r;

	if (!path)
		return 0;
	to = report_is_stdout(path) ? stdout : open_memstream(&text, &len);
	r = to ? write_tables(s, f, to) : -ENOMEM;
	if (to && to != stdout && fclose(to) && r == 0)
		r = -ENOMEM;
	if (r < 0 && r != -EINVAL && (to != stdout || !output_error()))
		log_errno(-r, "%s", s->command);
	else if (r == 0 && to != stdout)
		r = outfile_write(names[f], path, text, len, s->limits->signal_fd);
	free(text);
	return r;
}

int report_files_write(const struct report_files *f, const struct report_results *results)
{
	int first = 0, r;

	for (enum report_format i = 0; i < REPORT_NR_FORMATS; i++) {
		r = write_file(results, i, f->out[i]);
		first = first < 0 ? first : r;
	}
	if (f->plot) {
		r = bench_plot_write(f->plot, results->table, results->nr_tables, results->limits, results->text);
		first = first < 0 ? first : r;
	}
	return first;
}
