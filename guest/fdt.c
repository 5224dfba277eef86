/* SPDX-License-Identifier: MIT */
/*
 * Reads the flattened device tree (Devicetree Specification v0.4, chapter 5) where the
 * loader left it. The structure block is scanned anew for each question and only as
 * far as the answer: booting asks for the arguments alone, which stand near the front.
 */
#include "kernel.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };

struct fdt_header {
	uint32_t magic, totalsize, off_dt_struct, off_dt_strings;
};

static const struct fdt_header *fdt;

static uint32_t be32(uint32_t v)
{
	return __builtin_bswap32(v);
}

static bool name_is(const void *at, struct fdt_name name)
{
	return (*(const uint64_t *)at & name.mask) == name.bytes;
}

/* The word behind a node's name, which is padded to 4 bytes with at least one NUL. */
static const uint32_t *skip_name(const uint32_t *p)
{
	/* The last of four bytes is NUL when the name ends among them. */
	while (*p++ >> 24)
		;
	return p;
}

static const uint32_t *skip_property(const uint32_t *p)
{
	return (const uint32_t *)((const char *)(p + 2) + ((be32(p[0]) + 3) & ~3u));
}

void fdt_init(gpa_t at)
{
	fdt = (const void *)(GNOMON_BOOT_VIRT + gpa_raw(at));
}

const void *fdt_property(struct fdt_name node, struct fdt_name prop, uint32_t *ret_len)
{
	const uint32_t *p = (const uint32_t *)((const char *)fdt + be32(fdt->off_dt_struct));
	const char *strings = (const char *)fdt + be32(fdt->off_dt_strings);
	bool inside = false;
	int depth = 0;

	for (;;) {
		uint32_t token = be32(*p++);

		if (token == FDT_PROP) {
			if (inside && name_is(strings + be32(p[1]), prop)) {
				*ret_len = be32(p[0]);
				return p + 2;
			}
			p = skip_property(p);
		} else if (token == FDT_BEGIN_NODE) {
			inside = ++depth == 2 && name_is(p, node);
			p = skip_name(p);
		} else if (token == FDT_END_NODE) {
			inside = false;
			depth--;
		} else if (token != FDT_NOP) {
			return NULL;
		}
	}
}

int fdt_count(struct fdt_name node, struct fdt_name child)
{
	const uint32_t *p = (const uint32_t *)((const char *)fdt + be32(fdt->off_dt_struct));
	bool inside = false;
	int depth = 0, n = 0;

	for (;;) {
		uint32_t token = be32(*p++);

		if (token == FDT_PROP) {
			p = skip_property(p);
		} else if (token == FDT_BEGIN_NODE) {
			if (++depth == 2)
				inside = name_is(p, node);
			n += depth == 3 && inside && name_is(p, child);
			p = skip_name(p);
		} else if (token == FDT_END_NODE) {
			depth--;
		} else if (token != FDT_NOP) {
			return n;
		}
	}
}
