/* SPDX-License-Identifier: MIT */
#include "cmd/bench_plot.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/outfile.h"

#define DRAW_SECONDS 60
#define NO_PROGRAM   127 /* as a shell says it */

int bench_plot_check(const char *dir, size_t room)
{
	char probe[PATH_MAX];
	struct stat st;

	if ((mkdir(dir, 0777) < 0 && errno != EEXIST) || stat(dir, &st) < 0)
		return log_errno(errno, "--plot: %s", dir);
	if (!S_ISDIR(st.st_mode))
		return log_errno(ENOTDIR, "--plot: %s", dir);
	if (access(dir, W_OK | X_OK) < 0)
		return log_errno(errno, "--plot: %s", dir);
	/* Root may write everywhere, and /proc still has no files of ours, and a full disk none either. */
	if (snprintf(probe, sizeof(probe), "%s/.gnomon.csv", dir) >= (int)sizeof(probe))
		return log_errno(ENAMETOOLONG, "--plot");
	return outfile_check_room("--plot", probe, room);
}

static bool is_plot_file(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && (strcmp(end, ".csv") == 0 || strcmp(end, ".gp") == 0 || strcmp(end, ".svg") == 0);
}

bool bench_plot_takes(const char *dir, const char *path)
{
	char name[NAME_MAX + 1], file[PATH_MAX];
	const struct dirent *entry;
	bool takes = outfile_lies_in(path, dir, name) && is_plot_file(name);
	DIR *d = takes ? NULL : opendir(dir);

	if (!d)
		return takes;
	/* A link in the directory leads out of it, or is another name of the file. */
	while (!takes && (entry = readdir(d)))
		takes = is_plot_file(entry->d_name) &&
		        snprintf(file, sizeof(file), "%s/%s", dir, entry->d_name) < (int)sizeof(file) &&
		        outfile_same(path, file);
	closedir(d);
	return takes;
}

/* Beside -errno, and not one of them: open(2) says -ENOENT as well. */
enum { WRITTEN = 0, NOTHING_TO_WRITE = 1 };

/* What a table writes becomes a file, or NOTHING_TO_WRITE. -errno, logged. */
static int write_file(const char *dir, const struct report *table, const char *end,
                      int (*write)(const struct report *table, FILE *to), const struct child_limits *limits)
{
	char path[PATH_MAX];
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int r;

	if (!to)
		return log_errno(errno, "--plot");
	r = write(table, to);
	if (fclose(to) && r == 0)
		r = -ENOMEM;
	if (r == -ENOENT) { /* the table's own */
		free(text);
		return NOTHING_TO_WRITE;
	}
	if (r == 0 && snprintf(path, sizeof(path), "%s/%s%s", dir, report_name(table), end) >= (int)sizeof(path))
		r = -ENAMETOOLONG;
	if (r < 0)
		log_errno(-r, "--plot: %s", dir);
	else
		r = outfile_write("--plot", path, text, len, limits->signal_fd);
	free(text);
	return r;
}

struct drawing {
	const char *dir;
	char script[64];
};

/* In a child. */
static int run_gnuplot(const void *arg)
{
	const struct drawing *d = arg;

	if (chdir(d->dir) == 0)
		execlp("gnuplot", "gnuplot", d->script, (char *)NULL);
	return NO_PROGRAM;
}

/* gnuplot ends with 0 when it could not write all of a picture. -errno, logged; none is left. */
static int check_picture(const char *dir, const struct report *table)
{
	static const char end[] = "</svg>";
	char path[PATH_MAX], last[32] = "";
	int r = -EIO;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s.svg", dir, report_name(table)) >= (int)sizeof(path))
		return log_errno(ENAMETOOLONG, "--plot");
	f = fopen(path, "re");
	if (f) {
		if (fseek(f, -(long)(sizeof(last) - 1), SEEK_END) == 0)
			last[fread(last, 1, sizeof(last) - 1, f)] = 0;
		if (strstr(last, end))
			r = 0;
		fclose(f);
	}
	if (r == 0)
		return 0;
	log_error("--plot: gnuplot did not write all of %s: is the disk full?", path);
	unlink(path);
	return r;
}

/* 1: there is no gnuplot. */
static int draw(const char *dir, const struct report *table, const struct child_limits *limits)
{
	const struct child_limits at_most = {.signal_fd = limits->signal_fd, .seconds = DRAW_SECONDS};
	struct child_result *child = malloc(sizeof(*child));
	struct drawing d = {.dir = dir};
	char why[256];
	int r;

	if (!child)
		return log_errno(ENOMEM, "--plot");
	snprintf(d.script, sizeof(d.script), "%s.gp", report_name(table));
	r = child_call(run_gnuplot, &d, &at_most, child);
	if (r == 0 && WIFEXITED(child->status) && WEXITSTATUS(child->status) == NO_PROGRAM) {
		r = 1;
	} else if (r != -EINTR && (r < 0 || !child_succeeded(child))) {
		child_reason(r, child, why, sizeof(why));
		log_error("--plot: gnuplot %s/%s: %s", dir, d.script, why);
		r = r < 0 ? r : -EIO;
	}
	free(child);
	return r ? r : check_picture(dir, table);
}

static void tell(const char *dir, size_t scripts, bool drawn, FILE *text)
{
	if (!text)
		return;
	if (!scripts)
		fprintf(text, "\n%s has the tables as CSV; none of them is drawn.\n", dir);
	else if (drawn)
		fprintf(text,
		        "\n%s has %zu picture%s (.svg), the script of each for gnuplot (.gp), and all tables as CSV.\n",
		        dir, scripts, scripts == 1 ? "" : "s");
	else
		fprintf(text,
		        "\n%s has %zu script%s for gnuplot, and all tables as CSV. There is no gnuplot here to draw "
		        "them.\n",
		        dir, scripts, scripts == 1 ? "" : "s");
}

/* The files of one table. *drawn: gnuplot draws so far. -errno, logged; -EINTR. */
static int plot_table(const char *dir, const struct report *table, const struct child_limits *limits, size_t *scripts,
                      bool *drawn)
{
	int r = write_file(dir, table, ".csv", report_write_csv, limits);

	if (r == WRITTEN)
		r = write_file(dir, table, ".gp", report_write_gnuplot, limits);
	if (r != WRITTEN)
		return r < 0 ? r : 0;
	++*scripts;
	if (!*drawn)
		return 0;
	r = draw(dir, table, limits);
	*drawn = r <= 0 && r != -EINTR;
	return r < 0 ? r : 0;
}

int bench_plot_write(const char *dir, const struct report *const *tables, size_t nr_tables,
                     const struct child_limits *limits, FILE *text)
{
	bool drawn = true;
	size_t scripts = 0;
	int first = 0;

	for (size_t i = 0; i < nr_tables; i++) {
		const int r = plot_table(dir, tables[i], limits, &scripts, &drawn);

		first = first ? first : r;
	}
	if (first == 0)
		tell(dir, scripts, drawn, text);
	return first;
}
