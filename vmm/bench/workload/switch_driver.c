/* SPDX-License-Identifier: MIT */
/* Switches the paging mode of a guest of its own, again and again. What fails is logged: it becomes the reason. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "bench/child_parts.h"
#include "bench/workload/socket_guest.h"
#include "bench/workload/switch.h"
#include "client/connection.h"
#include "control/error.h"

#define WARM_UP_MS  1000            /* for the guest to map all of its pages */
#define SETTLE_MS   50              /* for the guest to use its tables in the mode that it is in */
#define MAP_MIB     64              /* for the kernel and its tables, besides the pages */
#define CHASE_LOADS "1000000000000" /* more than it will do */
#define NS_PER_US   1e3

/* The guest runs until it is killed. Its words go nowhere, its errors to this process's stderr. */
static pid_t start_guest(const struct switch_drive *d)
{
	char cpus[16], memory[16], pages[16];
	const char *const argv[] = {process_self(), "run",  "--paging",  "nested",  "--cpus", cpus,
	                            "--memory",     memory, "--control", d->socket, d->image, "--",
	                            "chase",        pages,  CHASE_LOADS, "4k",      NULL};

	snprintf(cpus, sizeof(cpus), "%d", d->c->cpus);
	snprintf(memory, sizeof(memory), "%uM", (d->c->pages >> 8) + MAP_MIB);
	snprintf(pages, sizeof(pages), "%u", d->c->pages);
	return socket_guest_start(argv, -1);
}

/* Why the guest does not switch. */
static int refused(const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const char *class = json_string_value(json_object_get(error, "class"));
	const char *desc = json_string_value(json_object_get(error, "desc"));

	if (class && strcmp(class, ERROR_NO_COMMAND) == 0)
		log_error("this gnomon cannot change the paging mode of a running guest: it has no set-paging");
	else
		log_error("set-paging: %s", desc ? desc : "an answer without return or error");
	return -EREMOTEIO;
}

/* One switch, and how long all vCPUs were stopped. -errno, logged. */
static int switch_to(struct connection *c, const char *mode, double *ret_us)
{
	json_t *reply;
	const json_t *value, *us;
	int r;

	json_array_clear(c->events); /* the reply says all that they say */
	r = connection_execute(c, "set-paging", json_pack("{s:s}", "mode", mode), &reply);
	if (r < 0)
		return r;
	value = json_object_get(reply, "return");
	us = json_object_get(value, "us");
	if (!value) {
		r = refused(reply);
	} else if (!json_is_number(us) || json_is_false(json_object_get(value, "changed"))) {
		log_error("set-paging: the answer does not tell of a change to %s mode", mode);
		r = -EPROTO;
	} else {
		*ret_us = json_number_value(us);
	}
	json_decref(reply);
	return r;
}

/* One switch, and what the guest's use of its tables brings behind it. */
static int switch_once(struct connection *c, enum switch_to to, bool print)
{
	struct counts before, after, counts;
	double us = 0;
	int r = counts_ask(c, &before);

	if (r == 0)
		r = switch_to(c, switch_mode[to], &us);
	if (r < 0)
		return r;
	poll(NULL, 0, SETTLE_MS);
	r = counts_ask(c, &after);
	counts = counts_between(&before, &after);
	/* Not stdio: the parent's unwritten text is in this process's buffer, too. */
	if (r == 0 && print)
		dprintf(STDOUT_FILENO, "switch to=%s ns=%lld exits=%" PRIu64 " shadow-events=%" PRIu64 "\n",
		        switch_mode[to], llround(us * NS_PER_US), counts.exits, counts.shadow_events);
	return r;
}

/* A pair that is not printed warms the way up. */
static int switch_all(struct connection *c)
{
	int r = 0;

	poll(NULL, 0, WARM_UP_MS);
	for (int n = -1; r == 0 && n < SWITCH_PAIRS; n++)
		for (enum switch_to to = 0; r == 0 && to < SWITCH_NR_TO; to++)
			r = switch_once(c, to, n >= 0);
	return r;
}

int switch_drive(const void *drive)
{
	const struct switch_drive *d = drive;
	const pid_t guest = start_guest(d);
	struct connection c;
	int r = guest < 0 ? -1 : socket_guest_wait(guest, d->socket);

	if (r == 0)
		r = connection_open(&c, d->socket, SOCKET_ANSWER_MS);
	if (r == 0) {
		r = switch_all(&c);
		connection_close(&c);
	}
	if (guest > 0 && r != -ECHILD)
		child_kill(guest);
	return r < 0;
}
