/* SPDX-License-Identifier: MIT */
/*
 * The designs of page tables by name, and the text that a user writes for one:
 *
 *     radix4                     one dimension: a name of the catalogue, with its number
 *     flat:18+18                 widths of the indices, the root's first
 *     linear:load=0.8,slots=512  parameters
 *     radix4/radix4              a nested pair: guest / host, of any two
 *     shadow  shadow(G/H)        the pair G/H composed into one table; radix4/radix4 if none is given
 *     agile:2  agile(G/H):2      the lowest 2 levels of the guest nested, those above composed
 *     shadow/radix4              a shadow on a second stage
 *     ...+enclave4:once          any of these, with a third stage of depth 1 to 4; once or every (model/walk.h)
 *
 * A new design is one file that defines a struct model_design, and one line in catalogue.c.
 */
#ifndef GNOMON_MODEL_DESIGN_CATALOGUE_H
#define GNOMON_MODEL_DESIGN_CATALOGUE_H

#include <stddef.h>

#include "model/design/pair.h"
#include "model/design/walker.h"

#define MODEL_PARAMS  4
#define MODEL_NUMBERS 6

/* A number that the text may give as name=value. */
struct model_param {
	const char *name, *what;
	double low, high, standard;
};

/* What the text says of one design; all in range. */
struct model_args {
	const struct model_design *design;
	int number;                   /* behind the name */
	uint8_t width[PT_LEVELS_MAX]; /* of a table's index, root first; 0 behind the last */
	double value[MODEL_PARAMS];   /* in the order of model_design.param */
};

struct model_design {
	const char *name;
	const char *what;               /* a sentence */
	const char *sharing;            /* a sentence: whether processes can share a page */
	const char *number;             /* what the number behind the name counts; NULL: there is none */
	uint8_t numbers[MODEL_NUMBERS]; /* those there are; 0 behind the last */
	bool has_widths;                /* NAME:18+18 */
	struct model_param param[MODEL_PARAMS];
	/* Optional: NULL, or the sentence that says what is wrong with values that are in range one by one. */
	const char *(*check)(const struct model_args *args);
	const void *with; /* for `create`: what several designs differ in that share it */
	/* An empty table. -ENOMEM. */
	int (*create)(const struct model_args *args, struct model_memory *memory, enum model_dimension dimension,
	              struct walker **ret_walker);
};

/* Of the designs with one dimension. NULL behind the last. */
const struct model_design *model_design(size_t i);

/* Sizes of what is simulated. */
struct model_config {
	uint64_t data;  /* bytes of physical memory for pages, in each dimension */
	uint64_t limit; /* bytes that tables may take, in each dimension */
	struct model_backing backing;
};

#define MODEL_CONFIG_DEFAULT                                                                                           \
	((struct model_config){.data = 64ull << 30, .limit = 8ull << 30, .backing = {.page_shift = 12}})

#define MODEL_WHY_MAX 240

/*
 * The design that `text` asks for, empty. -EINVAL, -ENOMEM: *ret_why says in a sentence what is wrong and what is
 * allowed; nothing is logged. Undone by walker_destroy.
 */
int must_check model_design_parse(const char *text, const struct model_config *config, struct walker **ret_walker,
                                  char ret_why[MODEL_WHY_MAX]);

#endif
