/* SPDX-License-Identifier: MIT */
#include "client/dedup.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define AT_ONCE  256            /* ranges of a command */
#define PLACES   (256ull << 20) /* of memory, asked of at once */

int dedup_client_open(struct dedup_client *d, const char *path, int timeout_ms)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int r;

	d->path = path;
	d->gone = true;
	r = connection_open(&d->f.c, path, timeout_ms);
	if (r < 0)
		return r;
	d->gone = false;
	if (getsockopt(d->f.c.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return log_errno(errno, "%s", path);
	d->pid = peer.pid;
	d->uid = peer.uid;
	return 0;
}

void dedup_client_close(struct dedup_client *d)
{
	if (!d->gone)
		connection_close(&d->f.c);
	d->gone = true;
}

static int refuse(const char *command)
{
	log_error("%s: what answers says what cannot be", command);
	return -EPROTO;
}

int dedup_client_store(struct dedup_client *d, int store, bool users)
{
	json_t *reply;
	json_int_t unit;
	int r = connection_ask_with(&d->f.c, "dedup-store", json_pack("{s:b}", "users", users), store, &reply);

	if (r < 0)
		return r;
	unit = json_integer_value(json_object_get(reply, "unit"));
	json_decref(reply);
	if ((uint64_t)unit != PAGE_SIZE && (uint64_t)unit != PAGE_2M)
		return refuse("dedup-store");
	d->unit = (uint64_t)unit;
	return 0;
}

/* False: it is no run of pages that can be. */
static bool tell(const json_t *run, dedup_places_fn fn, void *ctx)
{
	json_int_t v[4];

	for (size_t i = 0; i < 4; i++) {
		v[i] = json_integer_value(json_array_get(run, i));
		if (v[i] < 0)
			return false;
	}
	fn(ctx, (uint64_t)v[0] / PAGE_SIZE, (uint64_t)v[1] / PAGE_SIZE, (uint64_t)v[2], (uint64_t)v[3] / PAGE_SIZE);
	return json_array_size(run) == 4;
}

int dedup_client_places(struct dedup_client *d, dedup_places_fn fn, void *ctx)
{
	const uint64_t end = d->f.pages * PAGE_SIZE;
	json_t *reply;
	size_t i;

	for (uint64_t at = 0; at < end; at += PLACES) {
		const uint64_t size = end - at < PLACES ? end - at : PLACES;
		const json_t *run;
		bool good;
		int r =
		    connection_ask(&d->f.c, "dedup-places",
		                   json_pack("{s:I, s:I}", "gpa", (json_int_t)at, "size", (json_int_t)size), &reply);

		if (r < 0)
			return r;
		d->f.requests++;
		good = json_is_array(reply);
		json_array_foreach (reply, i, run)
			good &= tell(run, fn, ctx);
		json_decref(reply);
		if (!good)
			return refuse("dedup-places");
	}
	return 0;
}

/* Adds a number of the reply's, `most` at most. */
static bool add(const json_t *reply, const char *name, uint64_t most, uint64_t *sum)
{
	const json_int_t v = json_integer_value(json_object_get(reply, name));

	if (v < 0 || (uint64_t)v > most)
		return false;
	*sum += (uint64_t)v;
	return true;
}

static bool add_all(const json_t *reply, uint64_t pages, struct merge_sum *s)
{
	return add(reply, "given", pages, &s->given) && add(reply, "merged", pages, &s->merged) &&
	       add(reply, "freed", pages, &s->freed) && add(reply, "differ", pages, &s->differ) &&
	       add(reply, "absent", pages, &s->absent) && add(reply, "zero", pages, &s->zero) &&
	       add(reply, "full", pages, &s->full);
}

/* The ranges from byte `done` of the first on. */
static json_t *arguments(const struct dedup_range_arg *range, size_t n, uint64_t done, uint64_t *ret_bytes)
{
	json_t *list = json_array();

	*ret_bytes = 0;
	for (size_t i = 0; i < n && i < AT_ONCE; i++) {
		const uint64_t skip = i == 0 ? done : 0;
		const uint64_t gpa = range[i].gpa + skip, size = range[i].size - skip, offset = range[i].offset + skip;
		json_t *arg = json_pack("{s:I, s:I}", "gpa", (json_int_t)gpa, "size", (json_int_t)size);

		if (!range[i].zero)
			json_object_set_new(arg, "offset", json_integer((json_int_t)offset));
		json_array_append_new(list, arg);
		*ret_bytes += size;
	}
	return json_pack("{s:o}", "ranges", list);
}

/* One command. Gives how many bytes it got through, and for how long the guest stood still. */
static int ask(struct dedup_client *d, const char *command, json_t *args, uint64_t bytes, uint64_t *ret_done)
{
	uint64_t done = 0, pause = 0;
	json_t *reply;
	bool good;
	int r = connection_ask(&d->f.c, command, args, &reply);

	if (r < 0)
		return r;
	d->f.requests++;
	good = add(reply, "bytes", bytes, &done) && done && done % PAGE_SIZE == 0 &&
	       add_all(reply, done / PAGE_SIZE, &d->sum.pages) &&
	       add(reply, "pause-us", (uint64_t)d->f.c.timeout_ms * 1000, &pause);
	json_decref(reply);
	if (!good)
		return refuse(command);
	d->sum.pause_us += pause;
	if (pause > d->sum.longest_pause_us)
		d->sum.longest_pause_us = pause;
	d->rests_until = clock_us() + (int64_t)pause;
	*ret_done = done;
	return 0;
}

int dedup_client_step(struct dedup_client *d, struct dedup_work *w)
{
	const int64_t rest = d->rests_until - clock_us();
	uint64_t bytes, done;
	json_t *args;
	int r;

	if (rest > 0)
		usleep((useconds_t)rest);
	args = arguments(w->range, w->n, w->at, &bytes);
	r = ask(d, w->command, args, bytes, &done);
	if (r < 0)
		return r;
	for (w->at += done; w->n && w->at >= w->range->size; w->n--)
		w->at -= w->range++->size;
	return 0;
}

int dedup_client_work(struct dedup_client *d, struct dedup_work *w)
{
	int r = 0;

	while (r == 0 && w->n)
		r = dedup_client_step(d, w);
	return r;
}
