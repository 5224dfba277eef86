/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include <sched.h>
#include <time.h>

#define YIELDS   200
#define SLEEP_NS 20000

void backoff(unsigned *tries)
{
	const struct timespec pause = {.tv_nsec = SLEEP_NS};

	if (++*tries < YIELDS)
		sched_yield();
	else
		nanosleep(&pause, NULL);
}
