/* SPDX-License-Identifier: MIT */
#include "model/mmu/shape.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE  512
#define MAX_WORDS 8

const struct mmu_shape shape_none = {.name = "none", .ghz = 1};

/* A line while it is read. */
struct line {
	struct mmu_shape *shape;
	const char *key;
	char *word[MAX_WORDS];
	size_t nr;
	char why[128]; /* what is wrong with it */
};

static int wrong(struct line *l, const char *why)
{
	snprintf(l->why, sizeof(l->why), "%s", why);
	return -EINVAL;
}

/* A decimal number; with `sizes` K and M may follow. */
static int parse_number(const char *text, uint64_t most, bool sizes, uint64_t *ret_n)
{
	char *end;
	uint64_t n;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || n > most)
		return -ERANGE;
	if (sizes && (*end == 'K' || *end == 'M') && !end[1])
		n <<= *end++ == 'K' ? 10 : 20;
	if (*end)
		return -EINVAL;
	*ret_n = n;
	return 0;
}

/* Entries and ways, then the policy and the index. */
static int parse_array(struct line *l, size_t first, struct assoc_shape *ret_array)
{
	struct assoc_shape array = {0};
	uint64_t entries, ways;
	const char *fault;

	if (l->nr < first + 2)
		return wrong(l, "the numbers of entries and ways are expected");
	if (parse_number(l->word[first], ASSOC_MAX_ENTRIES, false, &entries) < 0 || !entries)
		return wrong(l, "the entries are not a number from 1 to 67108864");
	if (parse_number(l->word[first + 1], ASSOC_MAX_WAYS, false, &ways) < 0 || !ways)
		return wrong(l, "the ways are not a number from 1 to 4096");
	array.entries = (uint32_t)entries;
	array.ways = (uint32_t)ways;
	for (size_t i = first + 2; i < l->nr; i++) {
		if (strcmp(l->word[i], "plru") == 0)
			array.policy = ASSOC_PLRU;
		else if (strcmp(l->word[i], "hash") == 0)
			array.index = ASSOC_HASH;
		else if (strcmp(l->word[i], "lru") != 0 && strcmp(l->word[i], "modulo") != 0)
			return wrong(l, "what stands behind the ways is none of lru, plru, modulo, hash");
	}
	fault = assoc_shape_fault(&array);
	if (fault)
		return wrong(l, fault);
	*ret_array = array;
	return 0;
}

/* "a+b+c": the bits of what `one` knows. */
static int parse_set(char *text, int (*one)(const char *name), uint64_t *ret_set)
{
	uint64_t set = 0;
	char *rest, *name;

	for (name = strtok_r(text, "+", &rest); name; name = strtok_r(NULL, "+", &rest)) {
		const int n = one(name);

		if (n < 0)
			return -EINVAL;
		set |= 1ull << n;
	}
	*ret_set = set;
	return set ? 0 : -EINVAL;
}

/* "4k": 12. Any power of two from 4k on. */
static int page_shift_of(const char *name)
{
	char *end;
	const unsigned long n = isdigit((unsigned char)*name) ? strtoul(name, &end, 10) : 0;
	const int unit = n && strlen(end) == 1 ? *end == 'k' ? 10 : *end == 'm' ? 20 : *end == 'g' ? 30 : 0 : 0;

	if (!unit || n > 512 || n & (n - 1) || (unit == 10 && n < 4))
		return -1;
	return unit + __builtin_ctzl(n);
}

static int dimension_of(const char *name)
{
	static const char *const names[MODEL_NR_DIMENSIONS] = {"guest", "host", "enclave"};

	for (int d = 0; d < MODEL_NR_DIMENSIONS; d++)
		if (strcmp(name, names[d]) == 0)
			return d;
	return -1;
}

static int level_of(const char *name)
{
	return *name >= '1' && *name < '0' + SHAPE_LEVELS && !name[1] ? *name - '0' : -1;
}

static int add_tlb(struct line *l, int level)
{
	struct mmu_shape *s = l->shape;
	struct shape_tlb tlb = {.level = level};

	if (s->nr_tlbs == SHAPE_TLBS)
		return wrong(l, "there are more than 8 TLBs");
	if (level == 1 && s->nr_tlbs && s->tlb[s->nr_tlbs - 1].level == 2)
		return wrong(l, "a TLB of the first level stands behind one of the second");
	if (l->nr < 1 || parse_set(l->word[0], page_shift_of, &tlb.shifts) < 0)
		return wrong(l, "pages are expected, such as 4k or 4k+2m+1g");
	for (size_t i = 0; i < s->nr_tlbs; i++)
		if (s->tlb[i].level == level && s->tlb[i].shifts & tlb.shifts)
			return wrong(l, "another TLB of this level has these pages");
	if (parse_array(l, 1, &tlb.array) < 0)
		return -EINVAL;
	s->tlb[s->nr_tlbs++] = tlb;
	return 0;
}

static int add_pwc(struct line *l)
{
	struct mmu_shape *s = l->shape;
	struct shape_pwc pwc = {0};
	uint64_t dimensions, levels;

	if (s->nr_pwcs == SHAPE_PWCS)
		return wrong(l, "there are more than 8 page-walk caches");
	if (l->nr < 2 || parse_set(l->word[0], dimension_of, &dimensions) < 0)
		return wrong(l, "whose tables is expected, such as guest or guest+host+enclave");
	if (parse_set(l->word[1], level_of, &levels) < 0)
		return wrong(l, "levels from 1 to 5 are expected, such as 2 or 3+4");
	pwc.dimensions = (unsigned)dimensions;
	pwc.levels = (unsigned)levels;
	for (size_t i = 0; i < s->nr_pwcs; i++)
		if (s->pwc[i].dimensions & pwc.dimensions && s->pwc[i].levels & pwc.levels)
			return wrong(l, "another page-walk cache has these entries");
	if (parse_array(l, 2, &pwc.array) < 0)
		return -EINVAL;
	s->pwc[s->nr_pwcs++] = pwc;
	return 0;
}

static int add_cache(struct line *l)
{
	struct mmu_shape *s = l->shape;
	struct shape_cache cache = {0};
	uint64_t bytes, ways, cycles;
	const char *fault;

	if (s->nr_caches == SHAPE_CACHES)
		return wrong(l, "there are more than 3 caches");
	if (l->nr != 3)
		return wrong(l, "bytes, ways and cycles are expected");
	if (parse_number(l->word[0], UINT32_MAX, true, &bytes) < 0 || bytes % SHAPE_LINE || !bytes ||
	    bytes / SHAPE_LINE > ASSOC_MAX_ENTRIES)
		return wrong(l, "the bytes are not a multiple of 64, such as 32K or 8M, up to 4096M");
	if (parse_number(l->word[1], ASSOC_MAX_WAYS, false, &ways) < 0 || !ways)
		return wrong(l, "the ways are not a number from 1 to 4096");
	if (parse_number(l->word[2], 100000, false, &cycles) < 0)
		return wrong(l, "the cycles are not a number from 0 to 100000");
	cache.array = (struct assoc_shape){.entries = (uint32_t)(bytes / SHAPE_LINE), .ways = (uint32_t)ways};
	cache.cycles = (uint32_t)cycles;
	fault = assoc_shape_fault(&cache.array);
	if (fault)
		return wrong(l, "the lines are not a multiple of the ways");
	s->cache[s->nr_caches++] = cache;
	return 0;
}

static int set_cycles(struct line *l, uint32_t *ret_cycles)
{
	uint64_t n;

	if (l->nr != 1 || parse_number(l->word[0], 100000, false, &n) < 0)
		return wrong(l, "a number from 0 to 100000 is expected");
	*ret_cycles = (uint32_t)n;
	return 0;
}

static int set_walker_cache(struct line *l)
{
	uint64_t n;

	if (l->nr != 1 || parse_number(l->word[0], SHAPE_CACHES, false, &n) < 0 || !n)
		return wrong(l, "the number of a cache is expected, 1 to 3");
	l->shape->walker_cache = (unsigned)n - 1;
	return 0;
}

static int set_ghz(struct line *l)
{
	char *end = NULL;
	const double ghz = l->nr == 1 && isdigit((unsigned char)*l->word[0]) ? strtod(l->word[0], &end) : 0;

	if (!(ghz >= 0.1 && ghz <= 20) || *end)
		return wrong(l, "a number from 0.1 to 20 is expected");
	l->shape->ghz = ghz;
	return 0;
}

static int set_name(struct line *l)
{
	char *const name = l->shape->name;

	*name = 0;
	for (size_t i = 0; i < l->nr; i++) {
		const size_t used = strlen(name);

		snprintf(name + used, sizeof(l->shape->name) - used, "%s%s", used ? " " : "", l->word[i]);
	}
	return *name ? 0 : wrong(l, "a name is expected");
}

static int take(struct line *l)
{
	struct mmu_shape *const s = l->shape;

	if (strcmp(l->key, "name") == 0)
		return set_name(l);
	if (strcmp(l->key, "ghz") == 0)
		return set_ghz(l);
	if (strcmp(l->key, "tlb1") == 0 || strcmp(l->key, "tlb2") == 0)
		return add_tlb(l, l->key[3] - '0');
	if (strcmp(l->key, "pwc") == 0)
		return add_pwc(l);
	if (strcmp(l->key, "cache") == 0)
		return add_cache(l);
	if (strcmp(l->key, "nested") == 0)
		return parse_array(l, 0, &s->nested);
	if (strcmp(l->key, "check") == 0)
		return parse_array(l, 0, &s->check);
	if (strcmp(l->key, "tlb2.cycles") == 0)
		return set_cycles(l, &s->tlb2_cycles);
	if (strcmp(l->key, "memory.cycles") == 0)
		return set_cycles(l, &s->memory_cycles);
	if (strcmp(l->key, "walker.cache") == 0)
		return set_walker_cache(l);
	return wrong(l, "there is no such key");
}

/* The keys of lines whose comment begins with "assumed", each once. */
static void note_assumed(struct mmu_shape *s, const char *key, const char *comment)
{
	const size_t used = strlen(s->assumed);

	while (isblank((unsigned char)*comment))
		comment++;
	if (strncmp(comment, "assumed", 7) == 0 && !strstr(s->assumed, key))
		snprintf(s->assumed + used, sizeof(s->assumed) - used, "%s%s", used ? ", " : "", key);
}

/* One line without its newline, which is overwritten. */
static int parse_line(char *text, struct line *l)
{
	char *comment = strchr(text, '#'), *equals, *rest, *word;

	if (comment)
		*comment++ = 0;
	equals = strchr(text, '=');
	if (!equals)
		return text[strspn(text, " \t\r")] ? wrong(l, "a line is KEY = VALUE") : 0;
	*equals = 0;
	word = strtok_r(text, " \t", &rest);
	if (!word || strtok_r(NULL, " \t", &rest))
		return wrong(l, "a line is KEY = VALUE");
	l->key = word;
	for (word = strtok_r(equals + 1, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
		if (l->nr == MAX_WORDS)
			return wrong(l, "there are too many words");
		l->word[l->nr++] = word;
	}
	if (take(l) < 0)
		return -EINVAL;
	if (comment)
		note_assumed(l->shape, l->key, comment);
	return 0;
}

/* What no single line shows. NULL: nothing is missing. */
static const char *missing(const struct mmu_shape *s)
{
	if (!s->nr_tlbs)
		return "there is no TLB (tlb1)";
	if (s->tlb[0].level != 1)
		return "there is no TLB of the first level (tlb1)";
	if (s->walker_cache && s->walker_cache >= s->nr_caches)
		return "walker.cache names a cache that is not there";
	return NULL;
}

int shape_parse(const char *whose, const char *text, size_t len, struct mmu_shape *ret_shape)
{
	struct mmu_shape shape = {.name = "unnamed", .ghz = 1};
	const char *end = text + len, *why;
	char copy[MAX_LINE];
	unsigned number = 1;

	for (const char *at = text; at < end; number++) {
		const char *newline = memchr(at, '\n', end - at);
		const size_t n = (newline ? newline : end) - at;
		struct line l = {.shape = &shape, .key = ""};

		if (n >= sizeof(copy) || memchr(at, 0, n)) {
			log_error("%s, line %u: no line of a shape: it is longer than 511 bytes, or has a zero", whose,
			          number);
			return -EINVAL;
		}
		memcpy(copy, at, n);
		copy[n] = 0;
		if (parse_line(copy, &l) < 0) {
			log_error("%s, line %u: %s%s%s", whose, number, l.key, *l.key ? ": " : "", l.why);
			return -EINVAL;
		}
		at += n + 1;
	}
	why = missing(&shape);
	if (why) {
		log_error("%s: %s", whose, why);
		return -EINVAL;
	}
	*ret_shape = shape;
	return 0;
}
