/* SPDX-License-Identifier: MIT */
/*
 * Reads the flattened device tree (Devicetree Specification v0.4, chapter 5). Each question scans it anew, up to the
 * answer. The functions are inline because both sides read the tree. The kernel reads what it must trust, memory and
 * CPUs. The first program reads its arguments: where KVM emulates CPL 0 the same loop costs a hundred times less at
 * CPL 3.
 */
#ifndef GUEST_FDT_H
#define GUEST_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDT_MAGIC 0xd00dfeed

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };

struct fdt {
	uint32_t magic, totalsize, off_dt_struct, off_dt_strings; /* big-endian, like all that follows */
};

/* The name of a node or property, of which up to 8 bytes are compared. */
struct fdt_name {
	uint64_t bytes, mask;
};
#define FDT_NAME(text)                                                                                                 \
	((struct fdt_name){((union {                                                                                   \
		                   char c[8];                                                                          \
		                   uint64_t v;                                                                         \
	                   }){.c = text})                                                                              \
	                       .v,                                                                                     \
	                   sizeof(text) >= 8 ? ~0ull : (1ull << 8 * (sizeof(text) & 7)) - 1})
/* What a name begins with */
#define FDT_PREFIX(text)                                                                                               \
	((struct fdt_name){((union {                                                                                   \
		                   char c[8];                                                                          \
		                   uint64_t v;                                                                         \
	                   }){.c = text})                                                                              \
	                       .v,                                                                                     \
	                   (1ull << 8 * (sizeof(text) - 1)) - 1})

static inline uint32_t fdt_u32(uint32_t v)
{
	return __builtin_bswap32(v);
}

static inline uint64_t fdt_u64(uint64_t v)
{
	return __builtin_bswap64(v);
}

static inline bool fdt_name_is(const void *at, struct fdt_name name)
{
	return (*(const uint64_t *)at & name.mask) == name.bytes;
}

/* The word behind a node's name. The name ends in the word whose last byte is NUL. */
static inline const uint32_t *fdt_skip_name(const uint32_t *p)
{
	while (*p++ >> 24)
		;
	return p;
}

static inline const uint32_t *fdt_skip_property(const uint32_t *p)
{
	return (const uint32_t *)((const char *)(p + 2) + ((fdt_u32(p[0]) + 3) & ~3u));
}

static inline const uint32_t *fdt_struct(const struct fdt *fdt)
{
	return (const uint32_t *)((const char *)fdt + fdt_u32(fdt->off_dt_struct));
}

/* The first `prop` of a node named `node` right below the root. NULL: there is none. */
static inline const void *fdt_property(const struct fdt *fdt, struct fdt_name node, struct fdt_name prop,
                                       uint32_t *ret_len)
{
	const char *strings = (const char *)fdt + fdt_u32(fdt->off_dt_strings);
	const uint32_t *p = fdt_struct(fdt);
	bool inside = false;
	int depth = 0;

	for (;;) {
		uint32_t token = fdt_u32(*p++);

		if (token == FDT_PROP) {
			if (inside && fdt_name_is(strings + fdt_u32(p[1]), prop)) {
				*ret_len = fdt_u32(p[0]);
				return p + 2;
			}
			p = fdt_skip_property(p);
		} else if (token == FDT_BEGIN_NODE) {
			inside = ++depth == 2 && fdt_name_is(p, node);
			p = fdt_skip_name(p);
		} else if (token == FDT_END_NODE) {
			inside = false;
			depth--;
		} else if (token != FDT_NOP) {
			return NULL;
		}
	}
}

/* How many nodes named `child` the nodes named `node` below the root have. */
static inline int fdt_count(const struct fdt *fdt, struct fdt_name node, struct fdt_name child)
{
	const uint32_t *p = fdt_struct(fdt);
	bool inside = false;
	int depth = 0, n = 0;

	for (;;) {
		uint32_t token = fdt_u32(*p++);

		if (token == FDT_PROP) {
			p = fdt_skip_property(p);
		} else if (token == FDT_BEGIN_NODE) {
			if (++depth == 2)
				inside = fdt_name_is(p, node);
			n += depth == 3 && inside && fdt_name_is(p, child);
			p = fdt_skip_name(p);
		} else if (token == FDT_END_NODE) {
			if (--depth == 1 && inside)
				return n;
		} else if (token != FDT_NOP) {
			return n;
		}
	}
}

#endif
