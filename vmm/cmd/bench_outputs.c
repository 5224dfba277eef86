/* SPDX-License-Identifier: MIT */
#include "cmd/bench_outputs.h"

#include <errno.h>

#include "base/outfile.h"
#include "cmd/bench_plot.h"
#include "cmd/compare_files.h"

/* By a name that outfile.h knows; NULL: there is no such output. */
static const char *place_of(const char *path)
{
	return bench_is_stdout(path) ? OUTFILE_STDOUT : path;
}

/* -EINVAL, logged: two would be one file, and the later all that is left of them, or both in one stream. */
static int check_pairs(const struct bench_options *o)
{
	for (int b = 0; b < BENCH_NR_FORMATS; b++) {
		for (int a = 0; a < b; a++) {
			if (!o->out[a] || !o->out[b] || !outfile_same(place_of(o->out[a]), place_of(o->out[b])))
				continue;
			log_error("%s and %s cannot both go to %s", bench_formats[a], bench_formats[b],
			          bench_is_stdout(o->out[b]) ? "stdout" : o->out[b]);
			return -EINVAL;
		}
	}
	return 0;
}

/* -EINVAL, logged: the output would take the place of what is read or run. */
static int check_inputs(const struct bench_options *o, const char *option, const char *path)
{
	const char *place = place_of(path);

	for (int f = 0; f < BENCH_NR_FILES; f++) {
		if (outfile_same(place, o->file[f])) {
			log_error("%s: %s is what shall be run", option, path);
			return -EINVAL;
		}
	}
	if (o->baseline && outfile_same(place, compare_place(o->baseline))) {
		log_error("%s: %s is the baseline", option, path);
		return -EINVAL;
	}
	return 0;
}

/* The directory of --plot is there by now. -EINVAL, logged: one of its files would be another output, or the baseline. */
static int check_plot(const struct bench_options *o)
{
	const char *which = NULL, *path = NULL;

	for (int f = 0; !which && f < BENCH_NR_FORMATS; f++) {
		path = o->out[f];
		if (path && bench_plot_takes(o->plot, place_of(path)))
			which = bench_formats[f];
	}
	if (!which && o->baseline && bench_plot_takes(o->plot, compare_place(o->baseline))) {
		which = "--baseline";
		path = o->baseline;
	}
	if (!which)
		return 0;
	log_error("%s: %s is a file that --plot may write: " BENCH_PLOT_FILES " in %s are its own", which, path,
	          o->plot);
	return -EINVAL;
}

int bench_outputs_check(const struct bench_options *o)
{
	int r = check_pairs(o);

	for (int f = 0; r == 0 && f < BENCH_NR_FORMATS; f++) {
		if (!o->out[f])
			continue;
		r = check_inputs(o, bench_formats[f], o->out[f]);
		if (r == 0 && !bench_is_stdout(o->out[f]))
			r = outfile_check(bench_formats[f], o->out[f]);
	}
	if (r == 0 && o->plot)
		r = bench_plot_check(o->plot);
	return r == 0 && o->plot ? check_plot(o) : r;
}
