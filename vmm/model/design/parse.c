/* SPDX-License-Identifier: MIT */
/*
 *     model_design_parse    WALKER+enclaveN:READING
 *     walker                GUEST/HOST or one of the next        recursive: shadow and agile have a pair inside
 *     simple                a design of the catalogue            parse_args.c
 */
#include "model/design/parse.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/design/memory.h"

int parse_refuse(const struct parser *p, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, MODEL_WHY_MAX, fmt, ap);
	va_end(ap);
	return -err;
}

bool parse_begins(struct part part, const char *word)
{
	return part.len >= (int)strlen(word) && memcmp(part.at, word, strlen(word)) == 0;
}

/* The first `c` outside parentheses; part.len: there is none. */
static int find(struct part part, char c)
{
	int depth = 0;

	for (int i = 0; i < part.len; i++) {
		depth += (part.at[i] == '(') - (part.at[i] == ')');
		if (part.at[i] == c && depth == 0)
			return i;
	}
	return part.len;
}

static struct part from(struct part part, int i)
{
	return (struct part){part.at + i, part.len - i};
}

static int build_simple(const struct parser *p, struct part part, struct model_memory *memory,
                        enum model_dimension dimension, struct walker **ret_walker)
{
	const struct model_design *design;
	struct model_args args;
	int r = parse_args(p, part, &design, &args);

	if (r < 0)
		return r;
	r = design->create(&args, memory, dimension, ret_walker);
	if (r < 0)
		return parse_refuse(p, -r, "%.*s: its empty table needs more than the memory that tables may take",
		                    part.len, part.at);
	snprintf((*ret_walker)->name, sizeof((*ret_walker)->name), "%.*s", part.len, part.at);
	return 0;
}

/* The guest's physical memory, as far as the host's tables reach. */
static int guest_memory(const struct model_config *config, const struct walker *host, struct model_memory **ret_memory)
{
	const uint64_t half = 1ull << (host->va_bits - 1);
	const uint64_t data = config->data < half ? config->data : half;
	const uint64_t limit = config->limit < half ? config->limit : half;

	return model_memory_create(data, limit, ret_memory);
}

static int build_pair(const struct parser *p, struct part guest_part, struct part host_part,
                      struct model_memory *machine, struct walker **ret_walker)
{
	struct walker *guest, *host;
	struct model_memory *memory;
	int r = build_simple(p, host_part, machine, MODEL_HOST, &host);

	if (r < 0)
		return r;
	r = guest_memory(p->config, host, &memory);
	if (r < 0) {
		walker_destroy(host);
		return parse_refuse(p, -r, "there is not enough memory for the guest of a nested pair");
	}
	r = parse_walker(p, guest_part, memory, &guest);
	model_memory_put(memory);
	if (r < 0) {
		walker_destroy(host);
		return r;
	}
	r = pair_create(guest, host, &p->config->backing, ret_walker);
	return r < 0 ? parse_refuse(p, -r, "%.*s: the host cannot map the guest's empty tables: too little memory",
	                            guest_part.len, guest_part.at)
	             : 0;
}

int parse_walker(const struct parser *p, struct part part, struct model_memory *memory, struct walker **ret_walker)
{
	const int slash = find(part, '/');
	int r;

	if (slash < part.len)
		r = build_pair(p, (struct part){part.at, slash}, from(part, slash + 1), memory, ret_walker);
	else
		r = build_simple(p, part, memory, MODEL_GUEST, ret_walker);
	if (r == 0)
		snprintf((*ret_walker)->name, sizeof((*ret_walker)->name), "%.*s", part.len, part.at);
	return r;
}

static int check_config(const struct parser *p)
{
	const int shift = p->config->backing.page_shift;

	if (shift != 12 && shift != 21 && shift != 30)
		return parse_refuse(p, EINVAL, "the host's pages have 4 KiB, 2 MiB or 1 GiB");
	if (p->config->backing.per_mille > 1000)
		return parse_refuse(p, EINVAL, "holes are per mille of the host's 2 MiB slices: 0 to 1000");
	return 0;
}

int model_design_parse(const char *text, const struct model_config *config, struct walker **ret_walker,
                       char ret_why[MODEL_WHY_MAX])
{
	const struct parser p = {config, ret_why};
	struct part part = {text, (int)strnlen(text, sizeof((*ret_walker)->name))};
	struct model_memory *memory;
	int r = check_config(&p);

	if (r < 0)
		return r;
	if (!part.len || part.len == sizeof((*ret_walker)->name))
		return parse_refuse(&p, EINVAL, "a design's name has 1 to 63 characters");
	r = model_memory_create(config->data, config->limit, &memory);
	if (r < 0)
		return parse_refuse(&p, -r,
		                    "memory for pages and for tables is whole 4 KiB pages, of which there are some");
	r = parse_walker(&p, part, memory, ret_walker);
	model_memory_put(memory);
	return r;
}
