/* SPDX-License-Identifier: MIT */
/* gnomon model: page walks of any design, simulated. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/outfile.h"
#include "base/output.h"
#include "base/process.h"
#include "cmd/cmd.h"
#include "cmd/model_lanes.h"
#include "cmd/model_options.h"
#include "cmd/model_report.h"
#include "cmd/model_sources.h"
#include "cmd/model_trace.h"
#include "vm/vm.h"

#define QUIET_SECONDS 2

static const char words[] =
    "Each design translates the same addresses, on a CPU of its own. Walks are accesses that no TLB "
    "served, refs their references that page-walk caches did not spare. References follow each "
    "other: a walk takes the sum of their latencies. docs/model.md says more.";
#define MAX_TABLES 3

struct session {
	const struct model_options *o;
	struct child_limits limits;
	struct report_environment env;
	struct report *table[MAX_TABLES];
	size_t nr_tables;
	FILE *text; /* where people look; NULL when stdout carries data */
	struct model_trace trace;
	/* Of the run that is under way. */
	const char *pattern;
	uint64_t bytes, limit; /* of pages; of tables in a dimension */
	struct run_lane lane[MODEL_MAX_DESIGNS];
	time_t began;
	bool failed; /* a page could not be mapped */
};

/* ---- one pattern ---- */

static bool ask(void *ctx, uint64_t done)
{
	struct session *s = ctx;
	struct pollfd fd = {.fd = s->limits.signal_fd, .events = POLLIN};
	const uint64_t all = s->o->accesses ? (uint64_t)(s->o->accesses + s->o->warm) : 0;

	if (done / RUN_BATCH % 64 == 0 && log_progress_wanted() && time(NULL) - s->began >= QUIET_SECONDS) {
		if (all)
			log_progress("model: %s, %llu MiB: %llu of %llu million accesses", s->pattern,
			             (unsigned long long)(s->bytes >> 20), (unsigned long long)(done / 1000000),
			             (unsigned long long)(all / 1000000));
		else
			log_progress("model: %s: %llu million accesses", s->pattern,
			             (unsigned long long)(done / 1000000));
	}
	return poll(&fd, 1, 0) > 0;
}

static void tap(void *ctx, const uint64_t *va, size_t nr)
{
	trace_write(&((struct session *)ctx)->trace.writer, va, nr);
}

/* A row of both tables for each design. */
static void add_rows(struct session *s)
{
	for (size_t i = 0; i < s->o->nr_designs; i++) {
		const struct run_lane *lane = &s->lane[i];
		struct model_result result = {.pattern = s->pattern,
		                              .bytes = s->bytes,
		                              .page_shift = s->o->from ? 0 : s->o->page_shift,
		                              .host_page_shift = s->o->host_page_shift,
		                              .design = s->o->design[i],
		                              .counts = *model_mmu_counts(lane->mmu),
		                              .lines = model_mmu_lines(lane->mmu)};

		walker_usage(lane->walker, &result.usage);
		if (lane->error) {
			s->failed = true;
			model_lane_say(lane, s->limit, result.why, sizeof(result.why));
		}
		model_report_add(s->table[0], s->table[1], &result, s->o->shape.ghz);
	}
}

/* Pattern `n`, or the trace. 0 or -errno, logged; -EINTR: what was done has rows. */
static int simulate(struct session *s, size_t n, uint64_t bytes)
{
	const struct model_options *o = s->o;
	struct model_input in;
	struct run_plan plan = {.page_shift = o->page_shift,
	                        .accesses = (uint64_t)o->accesses,
	                        .warm = (uint64_t)o->warm,
	                        .churn = (unsigned)o->churn,
	                        .threads = (unsigned)o->threads - 1, /* this one works, too */
	                        .ask = ask,
	                        .tap = s->trace.writer.to ? tap : NULL,
	                        .ctx = s};
	int r = model_input_open(o, n, bytes, s->limits.signal_fd, &in);

	s->pattern = o->trace ? "trace" : in.cut ? "guest (part)" : o->from ? "guest" : model_workload_name(n);
	s->bytes = o->trace || o->from ? 0 : bytes;
	s->began = time(NULL);
	for (size_t i = 0; i < in.nr_ranges; i++)
		s->bytes += in.range[i].bytes;
	if (r == 0)
		r = model_lanes_make(o, s->bytes, s->lane, &s->limit);
	if (r == 0) {
		plan.source = in.source;
		plan.range = in.range;
		plan.nr_ranges = in.nr_ranges;
		r = model_run(&plan, s->lane, o->nr_designs);
		log_progress("%s", "");
		if (r == 0 && o->trace)
			r = model_lanes_check(o, s->lane);
		if (r == 0 || r == -EINTR)
			add_rows(s);
	}
	model_lanes_free(s->lane, o->nr_designs);
	model_input_close(&in);
	return r;
}

/* ---- all ---- */

static int simulate_all(struct session *s)
{
	const struct model_options *o = s->o;
	int r = 0;

	s->table[0] = model_report_time();
	s->table[1] = model_report_tables();
	s->table[2] = model_report_cpu(o);
	if (!s->table[0] || !s->table[1] || !s->table[2])
		return log_errno(ENOMEM, "model");
	s->nr_tables = 3;
	if (o->trace || o->from)
		return simulate(s, 0, 0);
	for (size_t n = 0; r == 0 && n < MODEL_NR_WORKLOADS; n++)
		for (size_t i = 0; r == 0 && o->patterns >> n & 1 && i < o->nr_sizes; i++)
			r = simulate(s, n, o->size[i]);
	return r;
}

static int show_closed_forms(struct session *s)
{
	bool is_right = false;

	s->table[0] = model_report_closed((uint64_t)s->o->seed, &is_right);
	if (!s->table[0])
		return log_errno(ENOMEM, "model");
	s->nr_tables = 1;
	if (is_right)
		return 0;
	log_error("a simulated count is not what the formula says");
	return -EIO;
}

static void print_cpu(const struct mmu_shape *shape, FILE *to)
{
	fprintf(to, "simulated CPU: %s at %.1f GHz", shape->name, shape->ghz);
	if (*shape->assumed)
		fprintf(to, "; nobody published, and so assumed: %s", shape->assumed);
	fputc('\n', to);
}

/* Tables for people. The CPU's is in the files, and in --list. */
static int print(const struct session *s)
{
	const size_t nr = s->o->simulate ? 2 : 1;
	int r = 0;

	if (!s->text)
		return 0;
	if (s->o->simulate)
		print_cpu(&s->o->shape, s->text);
	for (size_t i = 0; r == 0 && i < nr; i++) {
		fputc('\n', s->text);
		r = report_print(s->table[i], s->text);
	}
	return r < 0 ? r : output_error();
}

static int write_files(const struct session *s)
{
	char finding[320] = "";
	const struct report_section section = {.name = "model",
	                                       .what = s->o->simulate ? "page walks, simulated" : "references of walks",
	                                       .finding = finding,
	                                       .words = s->o->simulate ? words : "",
	                                       .table = (const struct report *const *)s->table,
	                                       .nr_tables = s->nr_tables};
	const struct report_results results = {.command = "model",
	                                       .env = &s->env,
	                                       .table = (const struct report *const *)s->table,
	                                       .nr_tables = s->nr_tables,
	                                       .section = &section,
	                                       .nr_sections = 1,
	                                       .limits = &s->limits,
	                                       .text = s->text};

	if (s->o->simulate)
		snprintf(finding, sizeof(finding), "Simulated on %s. Nobody published, and so assumed: %s.",
		         s->o->shape.name, *s->o->shape.assumed ? s->o->shape.assumed : "nothing");
	return report_files_write(&s->o->files, &results);
}

/* What -errno of the simulation leaves is shown, if there is something. */
static int model(struct session *s)
{
	struct host_info host;
	int r = host_detect(&host, NULL), shown;

	if (r < 0)
		return log_errno(-r, "GNOMON_KVM_DEVICE");
	report_environment_capture(&host, &s->env);
	s->env.seed = s->o->seed;
	if (s->o->write_trace)
		r = model_trace_begin(&s->trace, s->o->write_trace, s->limits.signal_fd);
	if (r == 0)
		r = model_trace_end(&s->trace, s->o->simulate ? simulate_all(s) : show_closed_forms(s));
	if (r == -EINTR && s->nr_tables && !output_error())
		log_error("interrupted: tables have what was simulated until then");
	if ((r < 0 && r != -EINTR && s->o->simulate) || !s->nr_tables)
		return r;
	shown = print(s);
	if (shown == 0 || report_files_any(&s->o->files))
		shown = write_files(s);
	return r < 0 ? r : shown;
}

static int check_files(const struct model_options *o)
{
	const char *const trace = o->trace && strcmp(o->trace, "-") == 0 ? OUTFILE_STDIN : o->trace;
	const char *const addresses = trace ? trace : o->from; /* one of them at most */
	const char *const input[] = {addresses ? addresses : o->shape_file, addresses ? o->shape_file : NULL, NULL};

	for (const char *const *in = input; o->write_trace && *in; in++)
		if (outfile_same(o->write_trace, *in)) {
			log_error("--write-trace: %s is what shall be read", o->write_trace);
			return -EINVAL;
		}
	if (o->write_trace && outfile_same(o->write_trace, OUTFILE_STDOUT)) {
		log_error("--write-trace: %s is where the tables go", o->write_trace);
		return -EINVAL;
	}
	if (report_files_check(&o->files, input, "read", REPORT_FILE_ROOM) < 0)
		return -EINVAL;
	if (!o->write_trace)
		return 0;
	if (report_files_check_apart(&o->files, o->write_trace, "the file of --write-trace") < 0)
		return -EINVAL;
	return outfile_check("--write-trace", o->write_trace);
}

int cmd_model(int argc, char **argv)
{
	struct model_options o = {.page_shift = 12, .host_page_shift = 12, .seed = 1, .accesses = -1, .warm = -1};
	struct session s = {.o = &o, .limits = {.signal_fd = -1, .seconds = 60}};
	int r = model_options_parse(argc, argv, &o), status;

	if (r) {
		model_options_free(&o);
		return r > 0 ? 0 : STATUS_USAGE;
	}
	s.text = report_files_use_stdout(&o.files) ? NULL : stdout;
	s.limits.signal_fd = process_catch_end(); /* from here on files are made */
	output_give_up_on(s.limits.signal_fd);
	r = s.limits.signal_fd;
	if (r >= 0)
		r = check_files(&o) < 0 ? -EINVAL : model(&s);
	if (output_error() == -ECANCELED)
		r = -EINTR;
	output_give_up_on(-1);
	for (size_t i = 0; i < MAX_TABLES; i++)
		report_free(s.table[i]);
	if (s.limits.signal_fd >= 0)
		close(s.limits.signal_fd);
	status = r == -EINTR ? STATUS_INTERRUPTED : r == -EINVAL ? STATUS_USAGE : r < 0 ? STATUS_HOST_FAILURE : 0;
	model_options_free(&o);
	return status ? status : s.failed ? STATUS_HOST_FAILURE : 0;
}
