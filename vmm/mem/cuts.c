/* SPDX-License-Identifier: MIT */
#include "mem/cuts.h"

#include <stdio.h>

#define ALLOWED_DEFAULT 65530 /* vm.max_map_count where it cannot be read */
#define EACH            2
#define RECOUNT         1024 /* refusals from one recount to the next: it takes milliseconds */

uint64_t cuts_allowed(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long long n = ALLOWED_DEFAULT;

	if (f) {
		if (fscanf(f, "%llu", &n) != 1)
			n = ALLOWED_DEFAULT;
		fclose(f);
	}
	return n;
}

/* The mappings that this process has. What cannot be counted counts as all. */
static uint64_t count(uint64_t allowed)
{
	FILE *f = fopen("/proc/self/maps", "re");
	uint64_t n = 0;
	int c;

	if (!f)
		return allowed;
	while ((c = getc_unlocked(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static uint64_t part(uint64_t allowed, enum cuts_share share)
{
	return allowed / 8 * (share == CUTS_TO_MAP ? 3 : 5);
}

bool cuts_take(struct cuts *c, enum cuts_share share)
{
	uint64_t most;

	if (!c->allowed)
		c->allowed = cuts_allowed();
	most = part(c->allowed, share);
	if (c->made + EACH > most && c->refused++ % RECOUNT == 0)
		c->made = count(c->allowed);
	if (c->made + EACH > most)
		return false;
	c->made += EACH;
	return true;
}

uint64_t cuts_set_aside(const struct cuts *c)
{
	return part(c->allowed, CUTS_TO_DROP);
}
