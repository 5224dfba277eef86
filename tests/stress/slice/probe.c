/* SPDX-License-Identifier: MIT */
/*
 * A vCPU that reaches for the slice without end. It counts an access in memory before it makes it and in R8 after it
 * came back, and the message about its end shows R8. So the memory's count, read after the answer, bounds R8: what
 * was begun later did not come back.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS 20000 /* before the slice goes */
#define QUOTA    (1ull << 40)

static uint64_t register_r8(const char *err)
{
	const char *at = strstr(err, "\n  r8  ");

	if (!at || !strstr(err, "\n  vCPU 0 at CPL"))
		fail("no registers of vCPU 0 in: %s", err);
	return strtoull(at + 7, NULL, 16);
}

struct probe_result probe_run(const struct job *job)
{
	struct probe_result result = {0};
	uint64_t attempts = 0;
	char err[OUTPUT];
	struct target t;
	int status;

	target_start(&t, job);
	target_set(&t, MAILBOX(kind), SLICE_PROBE);
	target_set(&t, MAILBOX(quota), QUOTA);
	target_set(&t, MAILBOX(phase), 1);
	if (!target_wait(&t, MAILBOX(attempts), ATTEMPTS))
		fail("the guest does not probe");
	if (!target_command(&t, "reclaim"))
		fail("no answer");
	result.looked = target_read(&t, MAILBOX(attempts), &attempts, sizeof(attempts));
	if (result.looked && target_populated(&t) > 0)
		fail("after the answer the host still holds %d pages of the slice", target_populated(&t));
	status = target_end(&t, err);
	if (status != 126 || !strstr(err, "taken away from it"))
		fail("a probe ended with status %d: %s", status, err);
	result.before = register_r8(err);
	if (result.looked && result.before > attempts)
		result.landed = result.before - attempts;
	return result;
}
