/* SPDX-License-Identifier: MIT */
/* Who takes part in `gnomon dedup`. */
#include <errno.h>
#include <gnomon/addr.h>

#include "cmd/dedup.h"

void dedup_drop(struct dedup *d, unsigned i)
{
	log_error("dedup: %s takes no further part", d->guest[i].path);
	dedup_client_close(&d->guest[i]);
	d->failed = true;
}

static unsigned present(const struct dedup *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->n; i++)
		n += !d->guest[i].gone;
	return n;
}

int dedup_check_present(const struct dedup *d)
{
	if (present(d) >= 2)
		return 0;
	log_error("dedup: there are no two guests left");
	return -ENOENT;
}

int dedup_level(const struct dedup *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (!d->guest[i].gone && d->guest[i].unit > PAGE_SIZE)
			return 1;
	return 0;
}
