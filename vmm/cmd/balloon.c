/* SPDX-License-Identifier: MIT */
/* gnomon balloon: how much memory a running guest has, and asking it for some or giving it back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "client/watch.h"
#include "vm/vm.h"

#define DEFAULT_TIMEOUT_S 30
#define LOOK_AGAIN_MS     50 /* a change is told by an event; this is for servers that tell few */

enum what { SHOW, SIZE, GUEST_SIZE, INFLATE, DEFLATE };

struct options {
	enum what what;
	uint64_t bytes;
	bool wait, json;
	long timeout; /* seconds */
};

struct sizes {
	uint64_t memory; /* the guest's RAM without a balloon; all in bytes */
	uint64_t actual, target;
	uint64_t host_before, host_after; /* of the guest's RAM, in the host's memory */
};

static const char help[] =
    "Usage: gnomon balloon [OPTION...] SOCKET\n"
    "Shows how much memory the guest behind a control socket has. One of the first four options changes how much\n"
    "it is asked to have.\n"
    "\n"
    "  --size SIZE        set the size of the balloon to SIZE\n"
    "  --guest-size SIZE  set guest memory to SIZE\n"
    "  --inflate SIZE     make the balloon larger by SIZE\n"
    "  --deflate SIZE     make the balloon smaller by SIZE\n"
    "  --wait             wait until the guest has done it\n"
    "  --timeout SECONDS  wait no longer than this for answers, and with --wait for the guest (default 30)\n"
    "  --json             print one JSON object, sizes in bytes\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done; 1 the guest cannot do it, or not in time; 2 the arguments cannot be used.\n";

static int parse_what(enum what what, const char *arg, struct options *o)
{
	if (o->what != SHOW) {
		log_error("balloon: give only one of --size, --guest-size, --inflate and --deflate");
		return -EINVAL;
	}
	o->what = what;
	if (parse_size(arg, &o->bytes) == 0 && o->bytes <= INT64_MAX)
		return 0;
	log_error("balloon: '%s' is not a size such as 64M", arg);
	return -EINVAL;
}

/* 0: go on; 1: help was shown; -EINVAL: logged. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
	    {"size", required_argument, NULL, SIZE},
	    {"guest-size", required_argument, NULL, GUEST_SIZE},
	    {"inflate", required_argument, NULL, INFLATE},
	    {"deflate", required_argument, NULL, DEFLATE},
	    {"wait", no_argument, NULL, 'w'},
	    {"timeout", required_argument, NULL, 't'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt >= SIZE && opt <= DEFLATE)
			r = parse_what(opt, optarg, o);
		else if (opt == 't')
			r = parse_count("--timeout", optarg, 1, 1000000, &o->timeout);
		else if (opt == 'w')
			o->wait = true;
		else if (opt == 'j')
			o->json = true;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	if (r == 1)
		fputs(help, stdout);
	if (r == 0 && optind != argc - 1) {
		log_error("balloon: one socket is expected (try `gnomon balloon --help`)");
		r = -EINVAL;
	}
	return r;
}

static int look(struct connection *c, struct sizes *s)
{
	json_t *reply, *target;
	int r = connection_ask(c, "query-balloon", NULL, &reply);

	if (r < 0)
		return r;
	s->actual = (uint64_t)json_integer_value(json_object_get(reply, "actual"));
	target = json_object_get(reply, "target"); /* QEMU does not tell */
	s->target = target ? (uint64_t)json_integer_value(target) : s->target;
	json_decref(reply);
	return 0;
}

/* The guest size that is asked for. -EINVAL, logged. */
static int goal(const struct options *o, const struct sizes *s, uint64_t *ret_bytes)
{
	uint64_t less = o->what == SIZE ? o->bytes : s->memory - s->target;

	if (o->what == INFLATE)
		less = o->bytes > s->memory ? ~0ull : less + o->bytes;
	else if (o->what == DEFLATE)
		less = o->bytes < less ? less - o->bytes : 0;
	else if (o->what == GUEST_SIZE)
		less = o->bytes <= s->memory ? s->memory - o->bytes : ~0ull;
	if (less >= s->memory) {
		log_error("balloon: the guest has %.1f MiB in all: it can have neither more nor 0",
		          s->memory / 1048576.0);
		return -EINVAL;
	}
	*ret_bytes = s->memory - less;
	return 0;
}

/* Waits until the guest has what it is asked to have. -ETIME, logged, when the time is over and it has not. */
static int wait_for_guest(struct connection *c, const struct options *o, struct sizes *s)
{
	const int64_t limit = c->deadline;
	const uint64_t first = s->actual;
	int r = 0;

	c->deadline += o->timeout * 1000; /* the guest's time is over first: the server can still say how far it came */
	while (r == 0 && s->actual != s->target) {
		const uint64_t all = first > s->target ? first - s->target : s->target - first;
		const uint64_t left = s->actual > s->target ? s->actual - s->target : s->target - s->actual;
		json_t *event;

		if (clock_ms() >= limit) {
			log_progress("%s", "");
			log_error("balloon: after %ld s the guest has %.1f MiB and is asked to have %.1f MiB",
			          o->timeout, s->actual / 1048576.0, s->target / 1048576.0);
			return -ETIME;
		}
		log_progress("%.1f of %.1f MiB", (all - (left < all ? left : all)) / 1048576.0, all / 1048576.0);
		r = connection_event(c, LOOK_AGAIN_MS, &event);
		if (r == 0)
			json_decref(event);
		if (r == 0 || r == -ETIMEDOUT)
			r = look(c, s);
	}
	log_progress("%s", "");
	return r;
}

static int change(struct connection *c, const struct options *o, struct sizes *s)
{
	json_t *reply;
	int r = goal(o, s, &s->target);

	if (r == 0)
		r = connection_ask(c, "balloon", json_pack("{s:I}", "value", (json_int_t)s->target), &reply);
	if (r < 0)
		return r;
	json_decref(reply);
	r = look(c, s);
	return r == 0 && o->wait ? wait_for_guest(c, o, s) : r;
}

static void print_sizes(const struct options *o, const struct sizes *s)
{
	const double mib = 1048576.0;

	if (o->json) {
		printf("{\"memory\": %llu, \"actual\": %llu, \"target\": %llu, \"host_memory_before\": %llu, "
		       "\"host_memory_after\": %llu, \"reached\": %s}\n",
		       (unsigned long long)s->memory, (unsigned long long)s->actual, (unsigned long long)s->target,
		       (unsigned long long)s->host_before, (unsigned long long)s->host_after,
		       s->actual == s->target ? "true" : "false");
		return;
	}
	printf("guest memory  %10.1f MiB of %.1f MiB; asked to have %.1f MiB\n", s->actual / mib, s->memory / mib,
	       s->target / mib);
	if (o->what == SHOW)
		printf("host memory   %10.1f MiB\n", s->host_after / mib);
	else
		printf("host memory   %10.1f MiB; before %.1f MiB\n", s->host_after / mib, s->host_before / mib);
}

static int run(struct connection *c, const struct options *o)
{
	struct sizes s = {0};
	int r = watch_number(c, "memory_guest", &s.memory);

	s.target = s.memory;
	if (r == 0)
		r = watch_number(c, "memory_host", &s.host_before);
	if (r == 0)
		r = look(c, &s);
	if (r == 0 && o->what != SHOW)
		r = change(c, o, &s);
	if (r < 0 && r != -ETIME)
		return r;
	if (watch_number(c, "memory_host", &s.host_after) < 0)
		return -EIO;
	print_sizes(o, &s);
	return r;
}

int cmd_balloon(int argc, char **argv)
{
	struct options o = {.timeout = DEFAULT_TIMEOUT_S};
	struct connection c;
	int64_t deadline;
	int r = parse_options(argc, argv, &o);

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	deadline = clock_ms() + o.timeout * 1000;
	if (connection_open(&c, argv[optind], (int)o.timeout * 1000) < 0)
		return STATUS_HOST_FAILURE;
	c.deadline = deadline;
	r = run(&c, &o);
	connection_close(&c);
	return r == -EINVAL ? STATUS_USAGE : r < 0 ? STATUS_HOST_FAILURE : 0;
}
