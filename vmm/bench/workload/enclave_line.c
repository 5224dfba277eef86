/* SPDX-License-Identifier: MIT */
/*
 * What guest/cost/enclave_walks.c prints: a line for each count, then the two lines of walks_line.h.
 *
 *   enclave second=S every=E cache=C pages=P low=L high=H sum=T walked=W checks=K hits=I      each number of 20 digits
 */
#include <errno.h>

#include "bench/line_parts.h"
#include "bench/workload/enclave.h"

const unsigned enclave_caches[ENCLAVE_NR_CACHES] = {0, 16, 64, 256};

#define MAX_REFS 1000 /* no walk reads more, with all its checks */

static bool is_possible(const struct enclave_count *c, uint64_t low, uint64_t high, uint64_t walked)
{
	return c->pages && c->pages <= UINT32_MAX && low && low <= high && high <= MAX_REFS &&
	       c->sum >= c->pages * low && c->sum <= c->pages * high && walked <= c->sum && c->hits <= c->checks &&
	       c->checks <= c->pages * MAX_REFS;
}

static int parse_line(struct line_cursor *c, enum enclave_walk walk, unsigned cache, struct enclave_count *ret)
{
	uint64_t second, every, frames, low, high, walked;

	if (!line_field(c, "enclave second=", &second) || !line_field(c, " every=", &every) ||
	    !line_field(c, " cache=", &frames) || !line_field(c, " pages=", &ret->pages) ||
	    !line_field(c, " low=", &low) || !line_field(c, " high=", &high) || !line_field(c, " sum=", &ret->sum) ||
	    !line_field(c, " walked=", &walked) || !line_field(c, " checks=", &ret->checks) ||
	    !line_field(c, " hits=", &ret->hits) || !line_skip(c, "\n"))
		return -EBADMSG;
	if (second != (walk == ENCLAVE_WALK_COMPOSED ? 0 : 4) || every != (walk == ENCLAVE_WALK_EVERY) ||
	    frames != cache)
		return -EINVAL;
	if (!is_possible(ret, low, high, walked))
		return -ERANGE;
	ret->low = low;
	ret->high = high;
	return 0;
}

int enclave_output_parse(const char *text, size_t len, const struct op_request *request,
                         struct enclave_counts *ret_counts, struct walks_model *ret_outside)
{
	struct line_cursor c = {text, text + len};
	struct enclave_counts counts;
	int r = 0;

	for (enum enclave_walk walk = 0; walk < ENCLAVE_NR_WALKS; walk++)
		for (int i = 0; r == 0 && i < ENCLAVE_NR_SWEEPS * ENCLAVE_NR_CACHES; i++)
			r = parse_line(&c, walk, enclave_caches[i % ENCLAVE_NR_CACHES],
			               &counts.of[walk][i / ENCLAVE_NR_CACHES][i % ENCLAVE_NR_CACHES]);
	if (r == 0)
		r = walks_output_parse(c.p, c.end - c.p, request, ret_outside);
	if (r == 0)
		*ret_counts = counts;
	return r;
}
