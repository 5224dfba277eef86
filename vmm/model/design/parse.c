/* SPDX-License-Identifier: MIT */
/*
 *     model_design_parse    WALKER+enclaveN:READING
 *     walker                GUEST/HOST or one of the next        recursive: shadow and agile have a pair inside
 *     one                   shadow, agile, or a design of the catalogue (parse_args.c)
 */
#include "model/design/parse.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/design/enclave.h"
#include "model/design/memory.h"
#include "model/design/radix.h"
#include "model/design/shadow.h"

/* The first `c` outside parentheses; part.len: there is none. */
static int find(struct part part, char c)
{
	int depth = 0;

	for (int i = 0; i < part.len; i++) {
		if (part.at[i] == c && depth == 0)
			return i;
		depth += (part.at[i] == '(') - (part.at[i] == ')');
	}
	return part.len;
}

/* What comes from place i on. */
static struct part from(struct part part, int i)
{
	return (struct part){part.at + i, part.len - i};
}

static int build_simple(const struct parser *p, struct part part, struct model_memory *memory,
                        enum model_dimension dimension, struct walker **ret_walker)
{
	struct model_args args;
	int r = model_parse_args(p, part, &args);

	if (r < 0)
		return r;
	r = args.design->create(&args, memory, dimension, ret_walker);
	if (r < 0)
		return model_parse_refuse(
		    p, -r, "%.*s: its empty table needs more than the memory that tables may take", part.len, part.at);
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

static int build(const struct parser *p, struct part part, struct model_memory *memory, struct walker **ret_walker);

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
		return model_parse_refuse(p, -r, "there is not enough memory for the guest of a nested pair");
	}
	r = build(p, guest_part, memory, &guest);
	if (r < 0) {
		model_memory_put(memory);
		walker_destroy(host);
		return r;
	}
	r = model_pair_create(guest, host, memory, &p->config->backing, ret_walker);
	model_memory_put(memory);
	return r < 0
	           ? model_parse_refuse(p, -r, "%.*s: the host cannot map the guest's empty tables: too little memory",
	                                guest_part.len, guest_part.at)
	           : 0;
}

/* "shadow" or "agile", with what is in parentheses, if anything is, and what follows. */
static int split_composed(const struct parser *p, struct part part, int word, struct part *ret_inner,
                          struct part *ret_rest)
{
	static const char standard[] = "radix4/radix4";
	int end = word;

	*ret_inner = (struct part){standard, sizeof(standard) - 1};
	if (word < part.len && part.at[word] == '(') {
		end = word + find(from(part, word + 1), ')') + 1;
		if (end >= part.len)
			return model_parse_refuse(p, EINVAL, "%.*s: a parenthesis is not closed", part.len, part.at);
		*ret_inner = (struct part){part.at + word + 1, end - word - 1};
		end++;
	}
	*ret_rest = from(part, end);
	return 0;
}

/* The pair, and an empty table of its guest's design. */
static int build_to_compose(const struct parser *p, struct part inner, struct model_memory *memory,
                            struct walker **ret_pair, struct walker **ret_composed)
{
	const int slash = find(inner, '/');
	int r;

	if (slash == inner.len)
		return model_parse_refuse(p, EINVAL, "%.*s: composed is a pair, guest/host", inner.len, inner.at);
	r = build_simple(p, (struct part){inner.at, slash}, memory, MODEL_GUEST, ret_composed);
	if (r < 0)
		return r;
	r = build(p, inner, memory, ret_pair);
	if (r < 0)
		walker_destroy(*ret_composed);
	return r;
}

static int build_shadow(const struct parser *p, struct part part, struct model_memory *memory,
                        struct walker **ret_walker)
{
	struct walker *pair, *composed;
	struct part inner, rest = {0};
	int r = split_composed(p, part, strlen("shadow"), &inner, &rest);

	if (r == 0 && rest.len)
		r = model_parse_refuse(p, EINVAL, "%.*s: after shadow comes nothing, or a pair in parentheses",
		                       part.len, part.at);
	if (r == 0)
		r = build_to_compose(p, inner, memory, &pair, &composed);
	return r < 0 ? r : model_shadow_create(pair, composed, ret_walker);
}

static int build_agile(const struct parser *p, struct part part, struct model_memory *memory,
                       struct walker **ret_walker)
{
	struct walker *pair, *composed;
	const struct pt_format *fmt;
	struct part inner, rest = {0};
	int r = split_composed(p, part, strlen("agile"), &inner, &rest), levels;

	if (r < 0)
		return r;
	if (rest.len != 2 || rest.at[0] != ':' || rest.at[1] < '0' || rest.at[1] > '9')
		return model_parse_refuse(p, EINVAL, "%.*s: after agile comes ':' and how many levels are nested",
		                          part.len, part.at);
	r = build_to_compose(p, inner, memory, &pair, &composed);
	if (r < 0)
		return r;
	fmt = model_radix_format(composed);
	levels = fmt ? fmt->levels : -1;
	if (rest.at[1] - '0' <= levels)
		return model_agile_create(pair, composed, rest.at[1] - '0', ret_walker);
	walker_destroy(pair);
	walker_destroy(composed);
	if (levels < 0)
		return model_parse_refuse(p, EINVAL,
		                          "%.*s: agile paging switches between levels: its guest is a radix table",
		                          part.len, part.at);
	return model_parse_refuse(p, EINVAL, "%.*s: the guest has %d levels: 0 to %d are nested", part.len, part.at,
	                          levels, levels);
}

static int build(const struct parser *p, struct part part, struct model_memory *memory, struct walker **ret_walker)
{
	const int slash = find(part, '/');
	int r;

	if (slash < part.len)
		r = build_pair(p, (struct part){part.at, slash}, from(part, slash + 1), memory, ret_walker);
	else if (model_parse_begins(part, "shadow"))
		r = build_shadow(p, part, memory, ret_walker);
	else if (model_parse_begins(part, "agile"))
		r = build_agile(p, part, memory, ret_walker);
	else
		r = build_simple(p, part, memory, MODEL_GUEST, ret_walker);
	if (r == 0)
		snprintf((*ret_walker)->name, sizeof((*ret_walker)->name), "%.*s", part.len, part.at);
	return r;
}

/* "enclave4:once" */
static int read_enclave(const struct parser *p, struct part part, int *ret_depth, enum walk_reading *ret_reading)
{
	static const char *const readings[] = {[WALK_CHECK_ONCE] = ":once", [WALK_CHECK_EVERY] = ":every"};
	const int word = strlen("enclave");

	if (part.len > word && model_parse_begins(part, "enclave") && part.at[word] > '0' &&
	    part.at[word] <= '0' + MODEL_ENCLAVE_DEPTH) {
		for (int i = 0; i < WALK_NR_READINGS; i++) {
			if (part.len == word + 1 + (int)strlen(readings[i]) &&
			    model_parse_begins(from(part, word + 1), readings[i])) {
				*ret_depth = part.at[word] - '0';
				*ret_reading = i;
				return 0;
			}
		}
	}
	return model_parse_refuse(p, EINVAL, "'+%.*s' is not +enclave with a depth of 1 to %d and :once or :every",
	                          part.len, part.at, MODEL_ENCLAVE_DEPTH);
}

/* The whole text; `plus` is where the third stage begins. */
static int build_all(const struct parser *p, struct part part, int plus, struct model_memory *memory,
                     struct walker **ret_walker)
{
	struct walker *inner;
	enum walk_reading reading = WALK_CHECK_ONCE;
	int depth = 0, r;

	if (plus == part.len)
		return build(p, part, memory, ret_walker);
	r = read_enclave(p, from(part, plus + 1), &depth, &reading);
	if (r == 0)
		r = build(p, (struct part){part.at, plus}, memory, &inner);
	if (r < 0)
		return r;
	r = model_enclave_create(inner, memory, p->config->limit, depth, reading, ret_walker);
	if (r < 0)
		return model_parse_refuse(p, -r, "%.*s: not enough memory for the third stage", part.len, part.at);
	snprintf((*ret_walker)->name, sizeof((*ret_walker)->name), "%.*s", part.len, part.at);
	return 0;
}

static int check_config(const struct parser *p)
{
	const int shift = p->config->backing.page_shift;

	if (shift != 12 && shift != 21 && shift != 30)
		return model_parse_refuse(p, EINVAL, "the host's pages have 4 KiB, 2 MiB or 1 GiB");
	if (p->config->backing.per_mille > 1000)
		return model_parse_refuse(p, EINVAL, "holes are per mille of the host's 2 MiB slices: 0 to 1000");
	return 0;
}

int model_design_parse(const char *text, const struct model_config *config, struct walker **ret_walker,
                       char ret_why[MODEL_WHY_MAX])
{
	const struct parser p = {config, ret_why};
	struct part part = {text, (int)strnlen(text, sizeof((*ret_walker)->name))};
	struct model_memory *memory;
	const char *plus;
	int r = check_config(&p);

	if (r < 0)
		return r;
	if (!part.len || part.len == sizeof((*ret_walker)->name))
		return model_parse_refuse(&p, EINVAL, "a design's name has 1 to 63 characters");
	r = model_memory_create(config->data, config->limit, &memory);
	if (r == -ENOMEM)
		return model_parse_refuse(&p, ENOMEM, "there is no room for %" PRIu64 " MiB of tables",
		                          config->limit >> 20);
	if (r < 0)
		return model_parse_refuse(&p, -r, "memory for pages and memory for tables are whole 4 KiB pages");
	plus = strstr(text, "+e");
	r = build_all(&p, part, plus ? (int)(plus - text) : part.len, memory, ret_walker);
	model_memory_put(memory);
	return r;
}
