/* SPDX-License-Identifier: MIT */
/* Page-table designs: the closed forms of model/walk.h come out of tables that stand; bad parameters are refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/design/random.h"
#include "model/walk.h"

static struct model_config config;

static struct walker *make(const char *text)
{
	char why[MODEL_WHY_MAX] = "";
	struct walker *w;

	cr_assert_eq(model_design_parse(text, &config, &w, why), 0, "%s: %s", text, why);
	cr_assert_str_eq(w->name, text);
	return w;
}

static void map(struct walker *w, uint64_t va, int shift)
{
	uint64_t pa;

	cr_assert_eq(model_memory_page(w->memory, shift, &pa), 0);
	cr_assert_eq(walker_map(w, va, pa, shift, PT_RWX), 0, "%s at %#lx", w->name, va);
}

/* References of the walk to one page of 1 << shift bytes. */
static unsigned refs(const char *text, int shift)
{
	const uint64_t va = 1ull << shift;
	struct walker *w = make(text);
	struct model_walk walk;
	unsigned nr;

	map(w, w->va_bits > 31 ? va : 0, shift);
	walker_walk(w, w->va_bits > 31 ? va + 5 : 5, &walk);
	cr_assert(walk.mapped, "%s", text);
	nr = walk.nr;
	walker_destroy(w);
	return nr;
}

/* A walk reads one entry for each level above its leaf, and every pair of levels and sizes is (Lg + 1)(Lh + 1) - 1. */
Test(model_design, closed_form_of_every_pair_of_levels)
{
	char text[64];

	for (int guest = 1; guest <= 5; guest++) {
		config = MODEL_CONFIG_DEFAULT;
		snprintf(text, sizeof(text), "radix%d", guest);
		cr_expect_eq(refs(text, 12), walk_refs_1d(guest));
		for (int host = 1; host <= 5; host++) {
			snprintf(text, sizeof(text), "radix%d/radix%d", guest, host);
			cr_expect_eq(refs(text, 12), walk_refs_2d(guest, host), "%s", text);
		}
	}
}

Test(model_design, closed_form_of_every_pair_of_page_sizes)
{
	char text[64];

	for (int levels = 3; levels <= 5; levels++) {
		for (int guest = 0; guest < 3; guest++) {
			for (int host = 0; host < 3; host++) {
				config = MODEL_CONFIG_DEFAULT;
				config.backing.page_shift = 12 + 9 * host;
				snprintf(text, sizeof(text), "radix4/radix%d", levels);
				cr_expect_eq(refs(text, 12 + 9 * guest), walk_refs_2d(4 - guest, levels - host),
				             "%s, guest %d, host %d", text, guest, host);
			}
		}
	}
}

/* A leaf above level 1 shortens a native walk, in x86-64's format and in RISC-V's. */
Test(model_design, closed_form_of_every_native_page_size)
{
	config = MODEL_CONFIG_DEFAULT;
	for (int size = 0; size < 3; size++) {
		cr_expect_eq(refs("radix4", 12 + 9 * size), walk_refs_1d(4 - size));
		cr_expect_eq(refs("radix5", 12 + 9 * size), walk_refs_1d(5 - size));
		cr_expect_eq(refs("sv39", 12 + 9 * size), walk_refs_1d(3 - size));
		cr_expect_eq(refs("sv48", 12 + 9 * size), walk_refs_1d(4 - size));
		cr_expect_eq(refs("sv57", 12 + 9 * size), walk_refs_1d(5 - size));
	}
	/* A design without the size maps 512 smaller pages. */
	cr_expect_eq(refs("flat:18+18", 12), 2);
	cr_expect_eq(refs("flat:18+18", 21), 2);
	cr_expect_eq(refs("flat:18+18", 30), 1);
	cr_expect_eq(refs("flat:9+9+18", 21), 3);
}

/* The third stage checks each of the Lg + 1 machine addresses, or every access: 29, 34, 44 or 49, 74, 124 on 4 x 4. */
Test(model_design, closed_form_of_the_third_stage)
{
	char text[64];

	config = MODEL_CONFIG_DEFAULT;
	for (unsigned depth = 1; depth <= 4; depth++) {
		for (int guest = 3; guest <= 5; guest++) {
			for (int host = 3; host <= 5; host++) {
				snprintf(text, sizeof(text), "radix%d/radix%d+enclave%u:once", guest, host, depth);
				cr_expect_eq(refs(text, 12), walk_refs_3d_once(guest, host, depth), "%s", text);
				snprintf(text, sizeof(text), "radix%d/radix%d+enclave%u:every", guest, host, depth);
				cr_expect_eq(refs(text, 12), walk_refs_3d_every(guest, host, depth), "%s", text);
			}
		}
		/* Native: the two readings are one, for nothing but stage 1 and the data is accessed. */
		snprintf(text, sizeof(text), "radix4+enclave%u:once", depth);
		cr_expect_eq(refs(text, 12), 4 + 5 * depth);
		snprintf(text, sizeof(text), "radix4+enclave%u:every", depth);
		cr_expect_eq(refs(text, 12), 4 + 5 * depth);
	}
}

/* Agile paging with k nested levels reads Lg + k * Lh entries: 4, 8, 12, 16, 20 on 4 x 4 levels. */
Test(model_design, closed_form_of_shadow_and_agile)
{
	char text[64];

	config = MODEL_CONFIG_DEFAULT;
	cr_expect_eq(refs("shadow", 12), 4);
	cr_expect_eq(refs("shadow/radix4", 12), 24);
	cr_expect_eq(refs("shadow(sv39/radix4)/radix5", 12), walk_refs_2d(3, 5));
	for (unsigned nested = 0; nested <= 4; nested++) {
		snprintf(text, sizeof(text), "agile:%u", nested);
		cr_expect_eq(refs(text, 12), 4 + 4 * nested, "%s", text);
		snprintf(text, sizeof(text), "agile(radix4/sv39):%u", nested);
		cr_expect_eq(refs(text, 12), 4 + 3 * nested, "%s", text);
	}
	/* A leaf above the nested levels is composed. */
	cr_expect_eq(refs("agile:1", 21), 4);
	config.backing.page_shift = 21;
	cr_expect_eq(refs("agile:1", 21), 3);
	cr_expect_eq(refs("shadow", 21), 3);
	cr_expect_eq(refs("shadow", 12), 4);
}

/* Whatever reads the tables, an address is one place: composing and checking change what is read, not what it says. */
Test(model_design, every_way_of_a_pair_leads_to_one_address)
{
	static const char *const same[] = {
	    "shadow", "agile:0", "agile:1", "agile:2", "agile:3", "agile:4", "radix4/radix4+enclave2:every"};
	struct walker *pair, *w;
	struct model_walk a, b;
	uint64_t pa = 0;

	config = MODEL_CONFIG_DEFAULT;
	config.backing = (struct model_backing){.page_shift = 21, .per_mille = 100, .seed = 7};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		pair = make("radix4/radix4");
		w = make(same[i]);
		for (uint64_t n = 0; n < 300; n++) {
			const uint64_t va = n * n * 0x123000;

			cr_assert_eq(model_memory_page(pair->memory, 12, &pa), 0);
			cr_assert_eq(walker_map(pair, va, pa, 12, PT_RWX), 0);
			cr_assert_eq(model_memory_page(w->memory, 12, &pa), 0);
			cr_assert_eq(walker_map(w, va, pa, 12, PT_RWX), 0);
		}
		for (uint64_t n = 0; n < 600; n++) {
			const uint64_t va = n * n * 0x123000 / 4 + 77;

			walker_walk(pair, va, &a);
			walker_walk(w, va, &b);
			cr_assert_eq(a.mapped, b.mapped, "%s, %#lx", w->name, va);
			cr_assert(!a.mapped || (a.pa == b.pa && a.page_shift == b.page_shift), "%s, %#lx", w->name, va);
		}
		walker_destroy(pair);
		walker_destroy(w);
	}
}

/* A slice with a hole is mapped by 4 KiB pages, and a 1 GiB page with one by smaller ones. */
Test(model_design, holes_split_the_hosts_pages)
{
	config = MODEL_CONFIG_DEFAULT;
	for (int shift = 12; shift <= 30; shift += 9) {
		config.backing = (struct model_backing){.page_shift = shift, .per_mille = 1000};
		cr_expect_eq(refs("radix4/radix4", 12), 24, "%d", shift);
		config.backing.per_mille = 0;
		cr_expect_eq(refs("radix4/radix4", 12), walk_refs_2d(4, 4 - (shift - 12) / 9), "%d", shift);
	}
}

/* What a pair keeps of the host's walks is what a walk finds, also after the host's table was resized. */
Test(model_design, kept_walks_end_when_the_host_changes)
{
	static const char *const designs[] = {"radix4/chain:slots=8", "radix4/cuckoo2:slots=8",
	                                      "chain:slots=8/linear:slots=8", "cluster8/radix4"};
	static struct model_walk a, b;

	config = MODEL_CONFIG_DEFAULT;
	for (size_t d = 0; d < sizeof(designs) / sizeof(designs[0]); d++) {
		struct walker *kept = make(designs[d]), *plain;

		config.backing.plain = true;
		plain = make(designs[d]);
		config.backing.plain = false;
		for (uint64_t i = 0; i < 1500; i++) {
			const uint64_t va = i / 2 * 0x7000, other = (i * i * 0x3000) & 0xffffff;

			if (i % 2 == 0) {
				map(plain, va, 12);
				map(kept, va, 12);
			}
			walker_walk(kept, other, &a);
			walker_walk(plain, other, &b);
			cr_assert_eq(a.nr, b.nr, "%s, %lu", kept->name, i);
			cr_assert(a.mapped == b.mapped && (!a.mapped || a.pa == b.pa), "%s, %lu", kept->name, i);
			cr_assert_arr_eq(a.ref, b.ref, model_walk_kept(&a) * sizeof(a.ref[0]), "%s, %lu", kept->name,
			                 i);
		}
		walker_destroy(kept);
		walker_destroy(plain);
	}
}

/* A text that names no design, or one out of range, is refused with the sentence that says what there is. */
Test(model_design, parameters_out_of_range_are_refused)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
	    {"", "1 to 63 characters"},
	    {"tree", "no design 'tree'; there are radix, sv, flat, inverted, chain,"},
	    {"radix", "levels of 'radix' may be 1, 2, 3, 4, 5"},
	    {"radix9", "levels of 'radix' may be 1, 2, 3, 4, 5"},
	    {"radix4x", "nothing else"},
	    {"radix4/radix0", "may be 1, 2, 3, 4, 5"},
	    {"sv40", "may be 39, 48, 57"},
	    {"flat", "flat has 1 to 5 widths"},
	    {"flat:18+0", "1 to 27 bits"},
	    {"flat:9+9+9+9+9+9", "5 levels at most"},
	    {"flat:18,18", "with + between them"},
	    {"flat:27+27", "not more than 57"},
	    {"cuckoo0", "the ways of 'cuckoo' may be 2, 3"},
	    {"cuckoo4", "may be 2, 3"},
	    {"cuckoo2:load=0.5", "0.49 at most"},
	    {"cluster4", "may be 8, 16"},
	    {"linear:load=1.0", "the load limit is 0.1 to 0.95, not '1.0'"},
	    {"linear:load=nan", "not 'nan'"},
	    {"linear:load=", "not ''"},
	    {"linear:load", "not ''"},
	    {"linear:ways=2", "no parameter 'ways'"},
	    {"linear:slots=100", "a power of two of slots"},
	    {"chain8", "nothing else"},
	    {"chain0", "nothing else"},
	    {"shadow(radix4", "parenthesis is not closed"},
	    {"shadow(radix4)", "guest/host"},
	    {"shadow4", "after shadow comes nothing"},
	    {"agile", "how many levels are nested"},
	    {"agile:5", "0 to 4 are nested"},
	    {"agile(chain/radix4):1", "its guest is a radix table"},
	    {"radix4/radix4/radix4", "nothing else"},
	    {"radix4+enclave0:once", "a depth of 1 to 4"},
	    {"radix4+enclave5:once", "a depth of 1 to 4"},
	    {"radix4+enclave2:twice", ":once or :every"},
	    {"radix4+enclave2", ":once or :every"},
	};

	config = MODEL_CONFIG_DEFAULT;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char why[MODEL_WHY_MAX] = "";
		struct walker *w = NULL;

		cr_expect_eq(model_design_parse(bad[i].text, &config, &w, why), -EINVAL, "'%s'", bad[i].text);
		cr_expect(strstr(why, bad[i].why), "'%s': %s", bad[i].text, why);
	}
}

/* No text ends the process: it is a design, or there is a sentence. */
Test(model_design, any_text_is_a_design_or_refused)
{
	static const char *const piece[] = {
	    "radix4", "sv48",  "/", "shadow",    "agile", "(",      ")",     ":",   "2",  "+",  "chain", "18", "flat",
	    ",",      "load=", "=", "+enclave2", ":once", "cuckoo", "slots", "0.3", "-1", "e9", " ",     "%s"};
	unsigned designs = 0;
	uint64_t seed = 1;

	config = MODEL_CONFIG_DEFAULT;
	for (int i = 0; i < 20000; i++) {
		char text[128] = "", why[MODEL_WHY_MAX] = "";
		struct walker *w;

		for (uint64_t n = model_random_below(&seed, 8); n > 0; n--)
			strcat(text, piece[model_random_below(&seed, sizeof(piece) / sizeof(piece[0]))]);
		if (model_design_parse(text, &config, &w, why) == 0) {
			cr_assert_str_eq(w->name, text);
			walker_destroy(w);
			designs++;
		} else {
			cr_assert(*why, "'%s'", text);
		}
	}
	cr_expect_gt(designs, 100);
}

/* Tables have the room that was given, and say when it is used up. */
Test(model_design, memory_has_a_limit)
{
	char why[MODEL_WHY_MAX] = "";
	struct walker *w;
	int r = 0;

	config = MODEL_CONFIG_DEFAULT;
	config.limit = 64 << 10;
	w = make("radix4");
	for (uint64_t i = 0; r == 0; i++)
		r = walker_map(w, i << 21, i << 21, 12, PT_RWX);
	cr_expect_eq(r, -ENOMEM);
	walker_destroy(w);
	cr_expect_eq(model_design_parse("flat:27", &config, &w, why), -ENOMEM);
	cr_expect(strstr(why, "more than the memory"), "%s", why);
	config.limit = 0;
	cr_expect_eq(model_design_parse("radix4", &config, &w, why), -EINVAL);
}

/* What cannot be mapped is refused: no canonical address, a page that is not aligned, another size's place. */
Test(model_design, map_refuses)
{
	struct walker *w;

	config = MODEL_CONFIG_DEFAULT;
	w = make("radix4");
	cr_expect_eq(walker_map(w, 1ull << 47, 0, 12, PT_RWX), -EINVAL);
	cr_expect_eq(walker_map(w, 0, 0x800, 12, PT_RWX), -EINVAL);
	cr_expect_eq(walker_map(w, 0, 1ull << 52, 12, PT_RWX), -EINVAL);
	cr_expect_eq(walker_map(w, 0, 0, 12, PT_W), -EINVAL);
	cr_expect_eq(walker_map(w, 0, 0, 21, PT_RWX), 0);
	cr_expect_eq(walker_map(w, 0, 0, 12, PT_RWX), -EEXIST);
	cr_expect_eq(walker_map(w, 0, 0, 30, PT_RWX), -EEXIST);
	cr_expect_eq(walker_map(w, -PAGE_2M, PAGE_2M, 21, PT_R | PT_MMIO), 0);
	walker_destroy(w);
	w = make("inverted");
	cr_expect_eq(walker_map(w, 0x1000, 0x5000, 12, PT_RWX), 0);
	cr_expect_eq(walker_map(w, 0x2000, 0x5000, 12, PT_RWX), -EEXIST);
	cr_expect_eq(walker_map(w, 0x1000, 0x6000, 12, PT_RWX), 0);
	cr_expect_eq(walker_map(w, 0x2000, 0x5000, 12, PT_RWX), 0);
	cr_expect_eq(walker_map(w, 0x3000, config.data, 12, PT_RWX), -EINVAL);
	walker_destroy(w);
}
