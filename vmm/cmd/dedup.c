/* SPDX-License-Identifier: MIT */
/* gnomon dedup: keeps what running guests have in common once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/dedup.h"
#include "cmd/options.h"
#include "vm/vm.h"

#define ANSWER_MS 10000

/* Two names of one guest are a mistake. A process serves one control socket. */
static int check_twice(const struct dedup *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (d->guest[i].gone || d->guest[k].gone || !d->guest[i].pid ||
			    d->guest[i].pid != d->guest[k].pid)
				continue;
			log_error("dedup: %s and %s are the same guest", d->guest[k].path, d->guest[i].path);
			return -EINVAL;
		}
	}
	return 0;
}

static int connect_all(struct dedup *d, char **sockets)
{
	unsigned first = d->n;

	for (unsigned i = 0; i < d->n; i++) {
		struct dedup_client *g = &d->guest[i];

		g->f.algorithm = d->algorithm;
		if (dedup_client_open(g, sockets[i], ANSWER_MS) < 0) {
			dedup_client_close(g);
			d->failed = true;
			continue;
		}
		if (first == d->n)
			first = i;
		d->users |= g->uid != d->guest[first].uid;
	}
	return check_twice(d);
}

int cmd_dedup(int argc, char **argv)
{
	struct dedup d = {.algorithm = "blake2b"};
	int r = dedup_parse(argc, argv, &d);

	if (r)
		return r == 1 ? 0 : STATUS_USAGE;
	d.n = (unsigned)(argc - optind);
	d.guest = calloc(d.n, sizeof(*d.guest));
	if (!d.guest) {
		log_errno(ENOMEM, "dedup");
		return STATUS_HOST_FAILURE;
	}
	r = connect_all(&d, argv + optind);
	if (r == 0) {
		r = dedup_run(&d);
		if (r == 0)
			dedup_print(&d);
		r = r < 0 || d.failed || output_error() < 0 ? STATUS_HOST_FAILURE : 0;
	} else {
		r = STATUS_USAGE;
	}
	for (unsigned i = 0; i < d.n; i++)
		dedup_client_close(&d.guest[i]);
	free(d.guest);
	return r;
}
