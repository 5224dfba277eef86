/* SPDX-License-Identifier: MIT */
/*
 * What a CPU has for translations: TLBs, page-walk caches, caches of lines. A shape is a text, of a preset or of a file,
 * with a line for each part. What stands behind # is a comment; one that begins with "assumed" says that nobody published
 * the number.
 *
 *     name = AMD Zen 5             for people
 *     ghz = 4.1                    cycles -> ns
 *     tlb1 = 4k+2m 64 4            pages, entries, ways; further words: plru, hash. A line for each array
 *     tlb2 = 4k+2m 1536 12
 *     tlb2.cycles = 7              more than a hit of the first level
 *     pwc = guest+host 3+4 64 64   page-walk cache: whose tables, the levels of their entries, entries, ways
 *     nested = 64 64               guest physical page -> machine page, of the host's walks; entries, ways
 *     check = 64 64                machine pages that the third stage allowed
 *     cache = 48K 12 4             bytes, ways, cycles; the first level first, three at most
 *     memory.cycles = 400
 *     walker.cache = 1             the first cache that the walker reads from
 */
#ifndef GNOMON_MODEL_MMU_SHAPE_H
#define GNOMON_MODEL_MMU_SHAPE_H

#include <stddef.h>

#include "model/design/walker.h"
#include "model/mmu/assoc.h"

#define SHAPE_TLBS      8 /* arrays of both levels */
#define SHAPE_PWCS      8
#define SHAPE_CACHES    3
#define SHAPE_LINE      64 /* bytes of a line of the caches */
#define SHAPE_MAX_BYTES 65536
#define SHAPE_LEVELS    6 /* of radix tables: 1 to 5 */

struct shape_tlb {
	int level;       /* 1 or 2 */
	uint64_t shifts; /* bit n: it has pages of 1 << n bytes */
	struct assoc_shape array;
};

struct shape_pwc {
	unsigned dimensions; /* bit n: enum model_dimension n */
	unsigned levels;     /* bit n: entries of level n */
	struct assoc_shape array;
};

struct shape_cache {
	struct assoc_shape array; /* of lines */
	uint32_t cycles;
};

struct mmu_shape {
	char name[64];
	double ghz;
	size_t nr_tlbs, nr_pwcs, nr_caches;
	struct shape_tlb tlb[SHAPE_TLBS]; /* of the first level before those of the second */
	struct shape_pwc pwc[SHAPE_PWCS];
	struct shape_cache cache[SHAPE_CACHES];
	struct assoc_shape nested, check;
	uint32_t tlb2_cycles, memory_cycles;
	unsigned walker_cache; /* from 0 */
	char assumed[128];     /* keys of lines that say so, with ", " between them */
};

/*
 * Reads a shape from `len` bytes of text. `whose` begins a message about what is wrong, which also names the line. -EINVAL,
 * logged: ret_shape is untouched.
 */
int must_check shape_parse(const char *whose, const char *text, size_t len, struct mmu_shape *ret_shape);

/* Presets by their number; NULL behind the last. The text is one for shape_parse(), and has a source for each number. */
const char *shape_preset_name(size_t i);
const char *shape_preset_text(size_t i);

/* No TLB, no cache: every access is walked, and every reference costs nothing. For exact counts. */
extern const struct mmu_shape shape_none;

#endif
