/* SPDX-License-Identifier: MIT */
#include "bench/workload/cost.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "bench/workload/balloon.h"
#include "bench/clock_parts.h"

#define STATS_MAX (1 << 18)

/* The arguments of `gnomon run` for a request, in text that the caller keeps. */
struct guest_command {
	char options[COST_MAX_OPTIONS], words[COST_MAX_OPTIONS];
	char stats[32], most[16], ops[16], blocks[16];
	const char *argv[24];
};

/* stats_fd: a file that the child inherits; -1: nothing is counted. */
static void guest_command_init(const struct cost_plan *plan, const struct cost_case *c, const struct cost_request *q,
                               int stats_fd, struct guest_command *g)
{
	size_t n = 0;

	cost_options(c->without, g->options, g->words);
	snprintf(g->stats, sizeof(g->stats), "/proc/self/fd/%d", stats_fd);
	snprintf(g->most, sizeof(g->most), "%" PRIu32, q->most);
	snprintf(g->ops, sizeof(g->ops), "%" PRIu32, q->ops);
	snprintf(g->blocks, sizeof(g->blocks), "%" PRIu32, q->blocks);
	memcpy(g->argv,
	       (const char *[]){process_self(), "run", "--paging", bench_environments[c->where].paging, "--memory",
	                        plan->memory, "--backing", c->thp ? "thp" : "4k", "--shadow-opt", g->options,
	                        "--balloon", "free-page-reporting"},
	       12 * sizeof(*g->argv));
	n = 12;
	if (stats_fd >= 0) {
		g->argv[n++] = "--stats";
		g->argv[n++] = g->stats;
	}
	memcpy(g->argv + n, (const char *[]){plan->image, "--", q->row, g->most, g->ops, g->blocks, NULL},
	       7 * sizeof(*g->argv));
}

static const char *parse_words(int r)
{
	switch (r) {
	case -EINVAL:
		return "its output is not what was asked for";
	case -ERANGE:
		return "its clock stood still";
	default:
		return "its output is no result";
	}
}

static int run_child(const struct cost_plan *plan, const struct cost_case *c, const struct cost_request *q,
                     int stats_fd, struct child_result *child)
{
	const struct balloon_native native = {.request = q, .bytes = c->bytes, .thp = c->thp};
	struct guest_command command;

	if (c->where == BENCH_NATIVE)
		return child_call(balloon_native, &native, &plan->limits, child);
	guest_command_init(plan, c, q, stats_fd, &command);
	return child_exec(command.argv, &plan->limits, child);
}

/* One run of a case. 0, also when it failed, which leaves its reason; -EINTR. */
static int run_case(struct cost_results *res, size_t i, const struct cost_request *q, int stats_fd,
                    struct child_result *child, struct cost_ticks *ret_ticks)
{
	const struct cost_case *c = cost_case_of(res, i);
	struct cost_series *s = &res->series[i];
	int r;

	r = run_child(res->plan, c, q, stats_fd, child);
	if (r == -EINTR)
		return r;
	if (r < 0 || !child_succeeded(child)) {
		child_reason(r, child, s->na, sizeof(s->na));
		return 0;
	}
	r = cost_output_parse(child->out, child->out_len, q, ret_ticks);
	if (r < 0)
		snprintf(s->na, sizeof(s->na), "%s", parse_words(r));
	return 0;
}

static struct cost_request request_of(const struct cost_case *c)
{
	return (struct cost_request){.row = c->row, .most = c->ops, .ops = c->ops, .blocks = c->blocks};
}

static int take_turn(struct cost_results *res, size_t i, int round, struct child_result *child)
{
	const struct cost_request q = request_of(cost_case_of(res, i));
	struct cost_ticks ticks = {0};
	int r;

	log_progress("%s: round %d of %d, %s, %s", res->plan->name, round + 1, res->plan->rounds,
	             cost_case_of(res, i)->row, bench_environments[cost_case_of(res, i)->where].name);
	r = run_case(res, i, &q, -1, child, &ticks);
	res->series[i].us[round] = ticks.op;
	res->series[i].floor_us[round] = ticks.floor;
	return r;
}

static int read_counts(int fd, struct cost_counts *ret_counts)
{
	char *text = malloc(STATS_MAX);
	const ssize_t len = text ? pread(fd, text, STATS_MAX, 0) : -1;
	const int r = len < 0 ? -errno : cost_counts_parse(text, len, ret_counts);

	free(text);
	return r;
}

/* Counters of a run with so many operations. 0 or -EINTR; what else fails leaves its reason. */
static int count_run(struct cost_results *res, size_t i, uint32_t ops, struct child_result *child,
                     struct cost_counts *ret_counts)
{
	struct cost_request q = request_of(cost_case_of(res, i));
	struct cost_series *s = &res->series[i];
	const int fd = memfd_create("stats", 0); /* the child opens it by its number */
	struct cost_ticks ticks;
	int r;

	q.ops = ops;
	q.blocks = 1;
	if (fd < 0) {
		snprintf(s->na, sizeof(s->na), "memfd_create: %s", strerror(errno));
		return 0;
	}
	r = run_case(res, i, &q, fd, child, &ticks);
	if (r == 0 && !*s->na && read_counts(fd, ret_counts) < 0)
		snprintf(s->na, sizeof(s->na), "its statistics cannot be read");
	close(fd);
	return r;
}

/* What an operation adds to the counters: the difference of two runs that differ in operations alone. */
static int count_case(struct cost_results *res, size_t i, struct child_result *child)
{
	const uint32_t ops = cost_case_of(res, i)->ops;
	struct cost_series *s = &res->series[i];
	struct cost_counts half, full;
	int r;

	s->exits = s->pages_built = NAN;
	if (cost_case_of(res, i)->where == BENCH_NATIVE)
		return 0;
	log_progress("%s: counting %s, %s", res->plan->name, cost_case_of(res, i)->row,
	             bench_environments[cost_case_of(res, i)->where].name);
	r = count_run(res, i, ops / 2, child, &half);
	if (r == 0 && !*s->na)
		r = count_run(res, i, ops, child, &full);
	if (r < 0 || *s->na)
		return r;
	s->exits = (double)(int64_t)(full.exits - half.exits) / (ops - ops / 2);
	s->pages_built = (double)(int64_t)(full.pages_built - half.pages_built) / (ops - ops / 2);
	return 0;
}

/* Cases to be compared: the words of their rows are the same up to a dash. */
static bool belong_together(const struct cost_case *a, const struct cost_case *b)
{
	const size_t len = strcspn(a->row, "-");

	return len == strcspn(b->row, "-") && memcmp(a->row, b->row, len) == 0;
}

/* The cases that belong to the first, in a random order: none always comes first. Returns how many. */
static size_t order_cases(const struct cost_results *res, size_t first, uint64_t *random, size_t *order)
{
	const struct cost_case *c = res->plan->cases;
	size_t n = 0;

	for (size_t i = first; i < res->plan->nr_cases && belong_together(&c[i], &c[first]); i++) {
		const size_t at = chase_random(random) % (n + 1);

		order[n++] = order[at];
		order[at] = i;
	}
	return n;
}

static int run_round(struct cost_results *res, int round, uint64_t *random, struct child_result *child)
{
	size_t order[COST_MAX_CASES] = {0}, n;
	int r = 0;

	for (size_t first = 0; r == 0 && first < res->plan->nr_cases; first += n) {
		n = order_cases(res, first, random, order);
		for (size_t i = 0; r == 0 && i < n; i++)
			if (cost_takes_part(res, order[i]) && !*res->series[order[i]].na)
				r = take_turn(res, order[i], round, child);
	}
	return r;
}

static int run_all(struct cost_results *res, struct child_result *child)
{
	uint64_t random = res->plan->seed * 2 + 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < res->plan->nr_cases; i++)
		if (cost_takes_part(res, i) && !*res->series[i].na)
			r = count_case(res, i, child);
	for (int round = 0; r == 0 && !bench_times_na(res->host) && round < res->plan->rounds; round++)
		r = run_round(res, round, &random, child);
	log_progress("%s", "");
	return r;
}

/* What cannot be measured is told before the first run. */
static void rule_out(struct cost_results *res)
{
	const struct host_info *h = res->host;

	for (size_t i = 0; i < res->plan->nr_cases; i++) {
		const char *needs = cost_case_of(res, i)->needs;
		struct cost_series *s = &res->series[i];

		if (cost_case_of(res, i)->where == BENCH_NATIVE) { /* it has nothing but times */
			if (bench_times_na(h))
				snprintf(s->na, sizeof(s->na), "%s", bench_times_na(h));
			continue;
		}
		if (h->kvm != HOST_KVM_OK)
			snprintf(s->na, sizeof(s->na), "%s: %s", h->kvm_path,
			         h->kvm_error ? strerror(h->kvm_error) : "not KVM");
		else if (needs && !cost_has_option(needs))
			snprintf(s->na, sizeof(s->na), "this build has no shadow optimisation '%s'", needs);
	}
}

/* One block for both arrays of a series. */
static int allocate_series(struct cost_results *res)
{
	for (size_t i = 0; i < res->plan->nr_cases; i++) {
		struct cost_series *s = &res->series[i];

		s->us = calloc(2 * res->plan->rounds, sizeof(double));
		if (!s->us)
			return -ENOMEM;
		s->floor_us = s->us + res->plan->rounds;
	}
	return 0;
}

static void scale(struct cost_results *res)
{
	for (size_t i = 0; i < res->plan->nr_cases; i++)
		for (int n = 0; n < 2 * res->plan->rounds; n++)
			res->series[i].us[n] /= res->tsc_mhz;
}

int cost_run(const struct cost_plan *plan, const struct host_info *host, struct cost_results *ret)
{
	struct child_result *child = malloc(sizeof(*child));
	const struct bench_clock began = bench_clock_start();
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->plan = plan;
	ret->host = host;
	rule_out(ret);
	r = child ? allocate_series(ret) : -ENOMEM;
	if (r == 0)
		r = run_all(ret, child);
	ret->tsc_mhz = bench_clock_mhz(&began);
	if (r == 0)
		scale(ret);
	free(child);
	return r;
}

void cost_results_free(struct cost_results *results)
{
	for (size_t i = 0; i < COST_MAX_CASES; i++)
		free(results->series[i].us);
}
