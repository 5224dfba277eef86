/* SPDX-License-Identifier: MIT */
#include "kvm/refusal.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#define REFUSALS_MAX 100
#define PAUSE_MS     1

bool kvm_is_refused_for_ever(unsigned *refused, int error)
{
	*refused = error == EAGAIN ? *refused + 1 : 0;
	if (*refused && *refused < REFUSALS_MAX)
		(void)poll(NULL, 0, PAUSE_MS);
	return *refused >= REFUSALS_MAX;
}
