/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a trace and as the shape of a CPU: refused, or read. Whatever pieces a trace comes in, it is the same; its
 * addresses are canonical, and it is read to its end. A CPU of a shape that was taken does what was asked.
 *
 * Input: the size of a piece, then the trace or the shape.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/mmu/mmu.h"
#include "model/trace/source.h"

#define MOST_ENTRIES 65536 /* of a shape that is built: memory is not what is fuzzed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

struct bytes {
	const uint8_t *at;
	size_t left, piece;
};

static ssize_t read_bytes(void *ctx, void *buf, size_t size)
{
	struct bytes *b = ctx;
	size_t n = b->left < size ? b->left : size;

	n = n < b->piece ? n : b->piece;
	memcpy(buf, b->at, n);
	b->at += n;
	b->left -= n;
	return (ssize_t)n;
}

/* Returns what reading it came to; a sum over the addresses, and their number. */
static int read_trace(const uint8_t *data, size_t size, size_t piece, uint64_t *ret_sum, uint64_t *ret_nr)
{
	struct bytes b = {data, size, piece};
	const struct trace_input input = {"fuzzed", read_bytes, &b};
	struct model_source *s = NULL;
	uint64_t va[64];
	size_t nr = 1;
	int r = model_source_trace(&input, &s);

	*ret_sum = *ret_nr = 0;
	while (r == 0 && nr) {
		r = model_source_next(s, 64, va, &nr);
		for (size_t i = 0; r == 0 && i < nr; i++) {
			require(trace_is_canonical(va[i]));
			*ret_sum = *ret_sum * 31 + va[i];
			++*ret_nr;
		}
	}
	require(r < 0 || (b.left == 0 && *ret_nr));
	model_source_destroy(s);
	return r;
}

static void try_shape(const uint8_t *data, size_t size)
{
	struct mmu_shape shape;
	uint64_t entries = 0;
	struct model_mmu *mmu;

	if (shape_parse("fuzzed", (const char *)data, size, &shape) < 0)
		return;
	for (size_t i = 0; i < shape.nr_tlbs; i++)
		entries += shape.tlb[i].array.entries;
	for (size_t i = 0; i < shape.nr_pwcs; i++)
		entries += shape.pwc[i].array.entries;
	for (size_t i = 0; i < shape.nr_caches; i++)
		entries += shape.cache[i].array.entries;
	if (entries + shape.nested.entries + shape.check.entries > MOST_ENTRIES)
		return;
	mmu = model_mmu_new(&shape);
	require(mmu && !model_mmu_hit(mmu, 0x1000));
	model_mmu_free(mmu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sum, nr, other_sum, other_nr;
	int r;

	if (!size)
		return 0;
	r = read_trace(data + 1, size - 1, SIZE_MAX, &sum, &nr);
	require(read_trace(data + 1, size - 1, 1 + data[0], &other_sum, &other_nr) == r);
	require(r < 0 || (sum == other_sum && nr == other_nr));
	try_shape(data + 1, size - 1);
	return 0;
}
