/* SPDX-License-Identifier: MIT */
/* Shapes of CPUs: what a file may say, and what is refused. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "model/mmu/mmu.h"

TestSuite(model_mmu_shape);

Test(model_mmu_shape, presets_are_shapes_with_a_source_for_each_line)
{
	struct mmu_shape shape;
	size_t n = 0;

	for (; shape_preset_name(n); n++) {
		const char *text = shape_preset_text(n);
		struct model_mmu *mmu;

		cr_assert_eq(shape_parse(shape_preset_name(n), text, strlen(text), &shape), 0);
		for (const char *line = text; *line; line = strchr(line, '\n') + 1)
			cr_assert(strncmp(line, "name", 4) == 0 ||
			              (strchr(line, '#') && strchr(line, '#') < strchr(line, '\n')),
			          "%s: no source: %.40s", shape_preset_name(n), line);
		cr_assert_eq(shape.nr_caches, 3);
		cr_assert_not_null(strstr(shape.assumed, "memory.cycles"));
		mmu = model_mmu_new(&shape);
		cr_assert_not_null(mmu);
		model_mmu_free(mmu);
	}
	cr_assert_geq(n, 4);
	cr_assert_null(shape_preset_text(n));
}

Test(model_mmu_shape, every_key_is_taken)
{
	static const char text[] =
	    "# mine\n\nname = Two  words\nghz=2.5\n tlb1 = 4k 64 4\t# assumed: guess\ntlb1 = 2m+1g 30 10 plru\n"
	    "tlb2 = 4k+2m 1536 12 hash\ntlb2.cycles = 9\npwc = guest+host 3+4 24 24\n"
	    "pwc = enclave 2 4 4 # assumed\nnested = 16 16\ncheck = 8 2\ncache = 48K 12 5\n"
	    "cache = 2M 16 14\nmemory.cycles = 300\nwalker.cache = 2";
	struct mmu_shape s;

	cr_assert_eq(shape_parse("test", text, strlen(text), &s), 0);
	cr_assert_str_eq(s.name, "Two words");
	cr_assert_float_eq(s.ghz, 2.5, 1e-9);
	cr_assert_eq(s.nr_tlbs, 3);
	cr_assert_eq(s.tlb[1].shifts, 1ull << 21 | 1ull << 30);
	cr_assert_eq(s.tlb[1].array.policy, ASSOC_PLRU);
	cr_assert_eq(s.tlb[2].array.index, ASSOC_HASH);
	cr_assert_eq(s.tlb[2].level, 2);
	cr_assert_eq(s.tlb2_cycles, 9);
	cr_assert_eq(s.pwc[0].dimensions, 1u << MODEL_GUEST | 1u << MODEL_HOST);
	cr_assert_eq(s.pwc[0].levels, 1u << 3 | 1u << 4);
	cr_assert_eq(s.nested.entries, 16);
	cr_assert_eq(s.check.ways, 2);
	cr_assert_eq(s.cache[1].array.entries, 32768);
	cr_assert_eq(s.cache[1].cycles, 14);
	cr_assert_eq(s.memory_cycles, 300);
	cr_assert_eq(s.walker_cache, 1);
	cr_assert_str_eq(s.assumed, "tlb1, pwc");
}

/* Each is refused with these words. */
static void refuse(const char *text, size_t len, const char *words)
{
	char said[512] = "";
	struct mmu_shape shape = {.nr_tlbs = 99};
	FILE *err;

	cr_redirect_stderr();
	cr_assert_eq(shape_parse("mine", text, len, &shape), -22, "'%s' is taken", text);
	fflush(stderr);
	err = cr_get_redirected_stderr();
	said[fread(said, 1, sizeof(said) - 1, err)] = 0;
	cr_assert_not_null(strstr(said, words), "'%s': says '%s', not '%s'", text, said, words);
	cr_assert_eq(shape.nr_tlbs, 99);
}

#define REFUSED(name, text, words)                                                                                     \
	Test(model_mmu_shape, refused_##name)                                                                          \
	{                                                                                                              \
		refuse(text, sizeof(text) - 1, words);                                                                 \
	}

REFUSED(empty, "", "there is no TLB")
REFUSED(no_ways, "tlb1 = 4k 64 0\n", "line 1: tlb1: the ways are not a number from 1 to 4096")
REFUSED(no_entries, "tlb1 = 4k 0 4\n", "the entries are not")
REFUSED(no_number, "tlb1 = 4k many 4\n", "the entries are not")
REFUSED(negative, "tlb1 = 4k -64 4\n", "the entries are not")
REFUSED(too_many_entries, "tlb1 = 4k 67108865 1\n", "the entries are not")
REFUSED(beyond_64_bits, "tlb1 = 4k 99999999999999999999 1\n", "the entries are not")
REFUSED(no_multiple, "tlb1 = 4k 64 5\n", "not a multiple of the ways")
REFUSED(plru_ways, "tlb1 = 4k 128 128 plru\n", "pseudo-LRU has 64 ways at most")
REFUSED(unknown_word, "tlb1 = 4k 64 4 random\n", "none of lru, plru")
REFUSED(pages, "tlb1 = 5k 64 4\n", "pages are expected")
REFUSED(no_pages, "tlb1 = + 64 4\n", "pages are expected")
REFUSED(pages_twice, "tlb1 = 4k 64 4\ntlb1 = 4k+2m 8 4\n", "line 2: tlb1: another TLB of this level")
REFUSED(order, "tlb1 = 4k 64 4\ntlb2 = 4k 64 4\ntlb1 = 2m 8 4\n", "line 3: tlb1: a TLB of the first level stands")
REFUSED(second_alone, "tlb2 = 4k 64 4\n", "no TLB of the first level")
REFUSED(level, "tlb1 = 4k 64 4\npwc = guest 6 4 4\n", "levels from 1 to 5")
REFUSED(dimension, "tlb1 = 4k 64 4\npwc = nobody 2 4 4\n", "whose tables is expected")
REFUSED(level_twice, "tlb1 = 4k 64 4\npwc = guest 2 4 4\npwc = guest+host 2+3 4 4\n", "another page-walk cache")
REFUSED(cache_bytes, "tlb1 = 4k 64 4\ncache = 100 4 1\n", "not a multiple of 64")
REFUSED(cache_ways, "tlb1 = 4k 64 4\ncache = 32K 7 1\n", "the lines are not a multiple of the ways")
REFUSED(cache_words, "tlb1 = 4k 64 4\ncache = 32K 8\n", "bytes, ways and cycles")
REFUSED(four_caches, "tlb1=4k 4 4\ncache=4K 4 1\ncache=4K 4 1\ncache=4K 4 1\ncache=4K 4 1\n", "more than 3 caches")
REFUSED(walker, "tlb1 = 4k 64 4\ncache = 32K 8 4\nwalker.cache = 2\n", "walker.cache names a cache that is not there")
REFUSED(cycles, "tlb1 = 4k 64 4\nmemory.cycles = 1e9\n", "a number from 0 to 100000")
REFUSED(ghz, "tlb1 = 4k 64 4\nghz = nan\n", "a number from 0.1 to 20")
REFUSED(no_equals, "tlb1 = 4k 64 4\nnonsense\n", "line 2: a line is KEY = VALUE")
REFUSED(two_keys, "tlb1 x = 4k 64 4\n", "a line is KEY = VALUE")
REFUSED(no_key, "tlb1 = 4k 64 4\n = 7\n", "line 2: a line is KEY = VALUE")
REFUSED(unknown_key, "tlb3 = 4k 64 4\n", "tlb3: there is no such key")
REFUSED(no_value, "tlb1 =\n", "pages are expected")
REFUSED(words, "name = a b c d e f g h i j\n", "too many words")
REFUSED(zero_byte, "tlb1 = 4k\0 64 4\n", "has a zero")
