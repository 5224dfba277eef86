/* SPDX-License-Identifier: MIT */
/* Without options: how many references walks make, by formula (model/walk.h) and as simulated walks count them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../guest/chase_core.h"
#include "cmd/model_report.h"
#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/walk.h"

#define PAGES 1000

/* Levels read: of a guest's tables to a leaf, of the host's, of the third stage (0: there is none). */
struct closed_form {
	const char *design;
	int guest, host, enclave;
	int page_shift, host_page_shift;
	bool every;
};

static const struct closed_form forms[] = {
    {"radix4", 4, 0, 0, 12, 12, false},
    {"radix5", 5, 0, 0, 12, 12, false},
    {"radix3/radix3", 3, 3, 0, 12, 12, false},
    {"radix4/radix4", 3, 3, 0, 21, 21, false},
    {"radix4/radix4", 4, 3, 0, 12, 21, false},
    {"radix4/radix4", 4, 4, 0, 12, 12, false},
    {"radix5/radix4", 5, 4, 0, 12, 12, false},
    {"radix4/radix5", 4, 5, 0, 12, 12, false},
    {"radix5/radix5", 5, 5, 0, 12, 12, false},
    {"radix4/radix4+enclave1:once", 4, 4, 1, 12, 12, false},
    {"radix4/radix4+enclave2:once", 4, 4, 2, 12, 12, false},
    {"radix4/radix4+enclave4:once", 4, 4, 4, 12, 12, false},
    {"radix4/radix4+enclave1:every", 4, 4, 1, 12, 12, true},
    {"radix4/radix4+enclave2:every", 4, 4, 2, 12, 12, true},
    {"radix4/radix4+enclave4:every", 4, 4, 4, 12, 12, true},
};

#define NR_FORMS (sizeof(forms) / sizeof(*forms))

static const struct report_column columns[] = {
    {"design", "design", NULL, 0},
    {"pages", "pages", NULL, 0},
    {"formula", "formula", NULL, 0},
    {"references", "references", NULL, 0},
    {"simulated", "simulated", NULL, REPORT_RANGE},
    {"walks", "walks", NULL, 0},
};

static unsigned by_formula(const struct closed_form *f, const char **ret_formula)
{
	if (!f->host) {
		*ret_formula = "L";
		return walk_refs_1d(f->guest);
	}
	if (!f->enclave) {
		*ret_formula = "(Lg+1)(Lh+1)-1";
		return walk_refs_2d(f->guest, f->host);
	}
	*ret_formula = f->every ? "(Lg+1)(Lh+1)(1+Le)-1" : "(Lg+1)(Lh+1)-1+(Lg+1)Le";
	return f->every ? walk_refs_3d_every(f->guest, f->host, f->enclave)
	                : walk_refs_3d_once(f->guest, f->host, f->enclave);
}

/* Walks to pages anywhere. -errno of the first that cannot be mapped. */
static int count(struct walker *w, int shift, uint64_t seed, unsigned *ret_low, unsigned *ret_high)
{
	struct model_walk *walk = malloc(sizeof(*walk));
	uint64_t random = seed * 2 + 1, pa;
	int r = walk ? 0 : -ENOMEM;

	*ret_low = UINT32_MAX;
	*ret_high = 0;
	for (int i = 0; r == 0 && i < PAGES; i++) {
		const uint64_t va = app_below(chase_random(&random), 1ull << (w->va_bits - 1)) >> shift << shift;

		walker_walk(w, va, walk);
		if (!walk->mapped) {
			r = model_memory_page(w->memory, shift, &pa);
			if (r == 0)
				r = walker_map(w, va, pa, shift, PT_RWX);
			walker_walk(w, va, walk);
		}
		*ret_low = walk->nr < *ret_low ? walk->nr : *ret_low;
		*ret_high = walk->nr > *ret_high ? walk->nr : *ret_high;
	}
	free(walk);
	return r;
}

static int add_form(struct report *report, const struct closed_form *f, uint64_t seed, bool *is_right)
{
	struct model_config config = MODEL_CONFIG_DEFAULT;
	char why[MODEL_WHY_MAX], pages[32];
	const char *formula;
	const unsigned refs = by_formula(f, &formula);
	unsigned low = 0, high = 0;
	struct walker *w;
	int r;

	snprintf(pages, sizeof(pages), f->host ? "%s on %s" : "%s", f->page_shift == 21 ? "2m" : "4k",
	         f->host_page_shift == 21 ? "2m" : "4k");
	report_row(report);
	report_set_text(report, "design", f->design);
	report_set_text(report, "pages", pages);
	report_set_text(report, "formula", formula);
	report_set_number(report, "references", refs);
	config.backing.page_shift = f->host_page_shift;
	r = model_design_parse(f->design, &config, &w, why);
	if (r < 0) {
		report_set_rest_na(report, why);
		return r == -EINVAL ? 0 : r;
	}
	r = count(w, f->page_shift, seed, &low, &high);
	walker_destroy(w);
	if (r < 0)
		return r;
	report_set_range(report, "simulated", low, high);
	report_set_number(report, "walks", PAGES);
	*is_right &= low == refs && high == refs;
	return 0;
}

struct report *model_report_closed(uint64_t seed, bool *ret_is_right)
{
	struct report *report = report_new("model-closed", columns, sizeof(columns) / sizeof(*columns));
	bool is_right = true;

	for (size_t i = 0; report && i < NR_FORMS; i++) {
		if (add_form(report, &forms[i], seed, &is_right) < 0) {
			report_free(report);
			return NULL;
		}
	}
	*ret_is_right = is_right;
	return report;
}
