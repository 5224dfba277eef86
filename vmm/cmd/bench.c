/* SPDX-License-Identifier: MIT */
/* gnomon bench: measure, print the tables, write them out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/output.h"
#include "base/process.h"
#include "bench/runner.h"
#include "cmd/bench_baseline.h"
#include "cmd/bench_options.h"
#include "cmd/cmd.h"
#include "cmd/compare_files.h"
#include "vm/vm.h"

#define MAX_TABLES    32
#define MAX_SECTIONS  16
#define CHILD_SECONDS 300

struct bench_session {
	const struct bench_options *options;
	struct host_info host;
	struct child_limits limits;
	struct report *table[MAX_TABLES];
	size_t nr_tables;
	struct report_section section[MAX_SECTIONS];       /* a workload each; with --html */
	char *finding[MAX_SECTIONS], *words[MAX_SECTIONS]; /* of each, owned */
	size_t nr_sections;
	FILE *text;                    /* where people look; NULL when stdout carries data */
	struct compare_file *baseline; /* NULL: none */
	bool measured, worse;
};

/*
 * Takes over a finished table, and prints it. -errno also when nobody can read it: nothing more is measured then,
 * unless for a file.
 */
static int add_table(void *session, struct report *table)
{
	struct bench_session *s = session;
	int r;

	BUG_ON(s->nr_tables == MAX_TABLES);
	s->table[s->nr_tables++] = table;
	if (!s->text)
		return 0;
	fputc('\n', s->text);
	r = report_print(table, s->text);
	if (output_error() && report_files_any(&s->options->files))
		return 0; /* output_end() tells of the text, and run_workloads() looks whether ^C ended it */
	return r < 0 ? r : output_error();
}

static int first_error(int first, int r)
{
	return first < 0 ? first : r;
}

/* All that were asked for. */
static int must_check write_files(const struct bench_session *s, const struct report_environment *env)
{
	const struct report_results results = {.command = "bench",
	                                       .env = env,
	                                       .table = (const struct report *const *)s->table,
	                                       .nr_tables = s->nr_tables,
	                                       .section = s->section,
	                                       .nr_sections = s->nr_sections,
	                                       .limits = &s->limits,
	                                       .text = s->text};

	return report_files_write(&s->options->files, &results);
}

/* Runs a workload, and keeps what it said for the page. */
static int run_for_page(struct bench_session *s, const struct workload *w, const struct bench_plan *plan,
                        struct runner_output output)
{
	const size_t first = s->nr_tables;
	const size_t n = s->nr_sections;
	size_t len;
	int r = -ENOMEM;

	BUG_ON(n == MAX_SECTIONS);
	s->nr_sections++;
	output.finding = open_memstream(&s->finding[n], &len);
	output.words = open_memstream(&s->words[n], &len);
	if (output.finding && output.words)
		r = runner_run(w, plan, &output, &s->measured);
	if (output.finding && fclose(output.finding) && r == 0)
		r = -ENOMEM;
	if (output.words && fclose(output.words) && r == 0)
		r = -ENOMEM;
	s->section[n] = (struct report_section){.name = w->name,
	                                        .what = w->what,
	                                        .finding = s->finding[n],
	                                        .words = s->words[n],
	                                        .table = (const struct report *const *)&s->table[first],
	                                        .nr_tables = s->nr_tables - first};
	return r;
}

/* A signal came while the text waited for its reader. It is taken: another one ends the writing of the files. */
static bool text_was_given_up(const struct bench_session *s)
{
	struct signalfd_siginfo taken;

	if (output_error() != -ECANCELED)
		return false;
	(void)!read(s->limits.signal_fd, &taken, sizeof(taken));
	return true;
}

/* The workloads that were chosen, in the catalogue's order. -EINTR: a signal came; other -errno. */
static int run_workloads(struct bench_session *s)
{
	const struct bench_options *o = s->options;
	const struct runner_output output = {.take = add_table, .arg = s, .text = s->text};
	struct bench_plan plan = {.host = &s->host,
	                          .where = o->where,
	                          .quick = o->quick,
	                          .rounds = (int)o->runs,
	                          .seed = o->seed,
	                          .precision = o->precision / 100.0,
	                          .max_seconds = o->max_seconds,
	                          .aa = o->aa,
	                          .mappings = o->mappings,
	                          .cpu = (int)o->cpu,
	                          .limits = s->limits};
	int r = 0;

	for (int f = 0; f < BENCH_NR_FILES; f++)
		plan.file[f] = o->file[f];
	for (size_t i = 0; r == 0 && workload_catalogue[i]; i++) {
		if (!(o->workloads >> i & 1))
			continue;
		r = o->files.out[REPORT_HTML] ? run_for_page(s, workload_catalogue[i], &plan, output)
		                              : runner_run(workload_catalogue[i], &plan, &output, &s->measured);
		if ((r == 0 || r == -ECANCELED) && text_was_given_up(s))
			r = -EINTR;
	}
	return r;
}

/* After ^C: the files that were asked for have the tables that there are. */
static int keep_what_there_is(struct bench_session *s, const struct report_environment *env)
{
	log_error("interrupted: tables have what was measured until then");
	(void)!write_files(s, env);
	return -EINTR;
}

/* -errno, logged. -EINVAL: an option would change nothing here. */
static int look_at_host(struct bench_session *s)
{
	const int r = host_detect(&s->host, NULL);

	if (r < 0)
		return log_errno(-r, "GNOMON_KVM_DEVICE");
	if (s->options->emulated_times && !s->host.emulator) {
		log_error("--emulated-times: no program plays this host's CPU");
		return -EINVAL;
	}
	s->host.emulated_times = s->options->emulated_times;
	return 0;
}

/* All that was asked for. 0 or -errno. */
static int bench(struct bench_session *s)
{
	struct report_environment env;
	int r;

	report_environment_capture(&s->host, &env);
	env.seed = s->options->seed;
	env.label = s->options->label;
	for (const struct workload *const *w = workload_catalogue; *w; w++)
		if ((*w)->note)
			(*w)->note(s->options->quick, &env);
	if (s->text)
		report_environment_print(&env, s->text);
	r = run_workloads(s);
	if (r == -EINTR && s->nr_tables && (!output_error() || report_files_any(&s->options->files)))
		return keep_what_there_is(s, &env);
	if (r < 0 && r != -EINTR && !output_error())
		log_errno(-r, "bench");
	if (r < 0)
		return r;
	r = write_files(s, &env);
	if (s->baseline && s->measured)
		r = first_error(r, bench_baseline_compare(s->baseline, s->options->threshold, &env,
		                                          (const struct report *const *)s->table, s->nr_tables,
		                                          s->text ? s->text : stderr, &s->worse));
	return r;
}

static void forget(struct bench_session *s)
{
	for (size_t i = 0; i < s->nr_tables; i++)
		report_free(s->table[i]);
	for (size_t i = 0; i < s->nr_sections; i++) {
		free(s->finding[i]);
		free(s->words[i]);
	}
	compare_file_free(s->baseline);
	if (s->limits.signal_fd >= 0)
		close(s->limits.signal_fd);
}

/* The exit status. */
static int check_and_bench(struct bench_session *s, struct bench_options *o)
{
	int r;

	if (bench_options_check(o) < 0)
		return STATUS_USAGE;
	if (s->baseline && bench_baseline_check(s->baseline, o->baseline, o->workloads) < 0)
		return STATUS_USAGE;
	r = look_at_host(s);
	if (r < 0)
		return r == -EINVAL ? STATUS_USAGE : STATUS_HOST_FAILURE;
	s->text = report_files_use_stdout(&o->files) ? NULL : stdout;
	r = bench(s);
	if (r == -EINTR || output_error() == -ECANCELED)
		return STATUS_INTERRUPTED;
	if (r == 0 && !s->measured)
		log_error("nothing could be measured; see the reasons above");
	if (r < 0 || !s->measured)
		return STATUS_HOST_FAILURE;
	return s->worse ? STATUS_WORSE : 0;
}

int cmd_bench(int argc, char **argv)
{
	struct bench_options o = {
	    .threshold = -1, .seed = 1, .cpu = -1, .where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW};
	struct bench_session s = {.options = &o, .limits = {.signal_fd = -1, .seconds = CHILD_SECONDS}};
	int r = bench_options_parse(argc, argv, &o), status = STATUS_HOST_FAILURE;

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	/* A baseline may be waited for, and ^C ends that; from there on files are made. */
	if (o.baseline && compare_read(o.baseline, &s.baseline) < 0)
		return STATUS_USAGE;
	s.limits.signal_fd = process_catch_end();
	if (s.limits.signal_fd >= 0) {
		output_give_up_on(s.limits.signal_fd);
		status = check_and_bench(&s, &o);
		output_give_up_on(-1);
	}
	forget(&s);
	return status;
}
