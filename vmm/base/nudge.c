/* SPDX-License-Identifier: MIT */
#include "base/nudge.h"

#include <stddef.h>

static void on_nudge(int sig)
{
}

void nudge_catch(void)
{
	const struct sigaction nudge = {.sa_handler = on_nudge};

	sigaction(SIG_NUDGE, &nudge, NULL);
}
