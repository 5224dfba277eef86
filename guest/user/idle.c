/* SPDX-License-Identifier: MIT */
/*
 * idle [PROGRAM [ARG...]]: serves the balloon until somebody ends the machine. Starts PROGRAM beside it, on another CPU
 * if there is one. The kernel drives the device. Only the loop that grows with memory is here, which writes page
 * numbers down: on some hosts it costs a thousand times less at CPL 3.
 */
#include "user.h"

#define LINE 256

static const struct run *const runs = (const struct run *)USER_PAGE(UBALLOON_AT);
static uint32_t *const pfns = (uint32_t *)USER_PAGE(UBALLOON_AT + URUN_PAGES);

static void expand(int64_t n)
{
	uint32_t *to = pfns;

	for (const struct run *r = runs; r < runs + n; r++)
		for (uint32_t i = 0; i < r->pages; i++)
			*to++ = r->pfn + i;
}

static int64_t start_beside(int argc, char **argv)
{
	char line[LINE];
	uint64_t len = 0;

	for (int i = 1; i < argc && len < LINE; i++)
		len += format(line + len, LINE - len, i > 1 ? " %s" : "%s", argv[i]);
	return len < LINE ? spawn(line, cpus() > 1 ? 1 : 0) : -EINVAL;
}

int idle_main(int argc, char **argv)
{
	int64_t r = balloon(BALLOON_START);

	if (r < 0) {
		print("idle: there is no balloon to serve (error %d)\n", -r);
		return 1;
	}
	print("idle: serving the balloon\n");
	if (argc > 1 && (r = start_beside(argc, argv)) < 0) {
		print("idle: cannot start %s (error %d)\n", argv[1], -r);
		return 1;
	}
	while ((r = balloon(BALLOON_SERVE)) > 0)
		expand(r);
	print("idle: the balloon failed (error %d)\n", -r);
	return 1;
}
