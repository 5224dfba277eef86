/* SPDX-License-Identifier: MIT */
/* gnomon top: what a running guest costs, live: exits, faults, splits, shootdowns, memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/output.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "cmd/top_table.h"
#include "client/watch.h"
#include "vm/vm.h"

#define ANSWER_MS 10000

struct options {
	long interval, count; /* seconds; samples, 0: until the run ends */
	bool json;
};

static const char help[] =
    "Usage: gnomon top [OPTION...] SOCKET\n"
    "Shows what the guest behind a control socket costs. On a terminal it draws a table again and again,\n"
    "elsewhere it prints one JSON object a line.\n"
    "\n"
    "  --interval SECONDS  time between two samples (default 1)\n"
    "  --count N           end after N samples (default: with the run)\n"
    "  --json              print JSON on a terminal, too\n"
    "  --help\n"
    "\n"
    "Exit status: 0 also when the run ends; 1 nobody answers; 2 the arguments cannot be used.\n";

static void forget(struct sample *s)
{
	json_decref(s->gnomon);
	json_decref(s->kvm);
	json_decref(s->status);
	*s = (struct sample){0};
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* KVM counts some things for the VM and some for each vCPU; no name is in both. */
static int take(struct connection *c, struct sample *s)
{
	json_t *vcpus = NULL;
	int r = connection_ask(c, "query-status", NULL, &s->status);

	if (r == 0)
		r = watch_stats(c, "vm", "gnomon", &s->gnomon);
	if (r == 0)
		r = watch_stats(c, "vm", "kvm", &s->kvm);
	if (r == 0)
		r = watch_stats(c, "vcpu", "kvm", &vcpus);
	if (r == 0)
		json_object_update(s->kvm, vcpus);
	json_decref(vcpus);
	s->time = now_s();
	return r;
}

static int print_json(const struct sample *s)
{
	json_t *line = json_pack("{s:f, s:O, s:O, s:O}", "time", s->time, "status",
	                         json_object_get(s->status, "status"), "gnomon", s->gnomon, "kvm", s->kvm);

	put_json(line, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(line);
	return output_error();
}

/* Waits for the next look. 1: the run ended; -errno, logged. */
static int wait_for_next(struct connection *c, long seconds)
{
	const double limit = now_s() + seconds;

	for (;;) {
		const double left = limit - now_s();
		json_t *event;
		bool last;
		int r = connection_event(c, left > 0 ? (int)(left * 1000) : 0, &event);

		if (r < 0)
			return r == -ETIMEDOUT ? 0 : r;
		last = strcmp(json_string_value(json_object_get(event, "event")), "SHUTDOWN") == 0;
		json_decref(event);
		if (last)
			return 1;
	}
}

static int watch(struct connection *c, const char *path, const struct options *o)
{
	struct sample before = {0}, now = {0};
	int r = 0;

	for (long n = 1; r == 0; n++) {
		r = take(c, &now);
		if (r == 0)
			r = o->json ? print_json(&now) : top_print_table(path, &now, &before);
		forget(&before);
		before = now;
		now = (struct sample){0};
		if (r == 0 && n == o->count)
			break;
		if (r == 0)
			r = wait_for_next(c, o->interval);
	}
	forget(&before);
	if (!o->json)
		putchar('\n'); /* for the prompt */
	return r < 0 ? r : 0;
}

int cmd_top(int argc, char **argv)
{
	static const struct option options[] = {{"interval", required_argument, NULL, 'i'},
	                                        {"count", required_argument, NULL, 'n'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	struct options o = {.interval = 1, .json = isatty(STDOUT_FILENO) != 1};
	struct connection c;
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 'i')
			r = parse_count("--interval", optarg, 1, 86400, &o.interval);
		else if (opt == 'n')
			r = parse_count("--count", optarg, 1, 1000000000, &o.count);
		else if (opt == 'j')
			o.json = true;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	if (r == 1)
		fputs(help, stdout);
	if (r)
		return r == 1 ? 0 : STATUS_USAGE;
	if (optind != argc - 1) {
		log_error("top: one socket is expected (try `gnomon top --help`)");
		return STATUS_USAGE;
	}
	if (connection_open(&c, argv[optind], ANSWER_MS) < 0)
		return STATUS_HOST_FAILURE;
	r = watch(&c, argv[optind], &o);
	connection_close(&c);
	return r < 0 && r != -ESHUTDOWN ? STATUS_HOST_FAILURE : 0;
}
