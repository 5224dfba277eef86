/* SPDX-License-Identifier: MIT */
/* The radix tables that the catalogue has. */
#include <errno.h>

#include "model/design/designs.h"
#include "model/design/radix.h"

#define SHARING "supported: processes may share a page, and the tables below a common entry"

static int create_x86(const struct model_args *args, struct model_memory *memory, enum model_dimension dimension,
                      struct walker **ret_walker)
{
	const struct pt_format fmt = model_radix_format_x86(args->number);

	return model_radix_create(&fmt, memory, dimension, ret_walker);
}

static int create_sv(const struct model_args *args, struct model_memory *memory, enum model_dimension dimension,
                     struct walker **ret_walker)
{
	const struct pt_format *fmt = args->number == 39 ? &pt_sv39 : args->number == 48 ? &pt_sv48 : &pt_sv57;

	return model_radix_create(fmt, memory, dimension, ret_walker);
}

static int levels(const struct model_args *args)
{
	int n = 0;

	while (n < PT_LEVELS_MAX && args->width[n])
		n++;
	return n;
}

static const char *check_flat(const struct model_args *args)
{
	struct pt_format fmt;

	return model_radix_format_flat(args->width, levels(args), &fmt) == 0
	           ? NULL
	           : "1 to 5 widths of 1 to 27 bits, which with the 12 of the offset are not more than 57";
}

static int create_flat(const struct model_args *args, struct model_memory *memory, enum model_dimension dimension,
                       struct walker **ret_walker)
{
	struct pt_format fmt;
	const int r = model_radix_format_flat(args->width, levels(args), &fmt);

	return r < 0 ? r : model_radix_create(&fmt, memory, dimension, ret_walker);
}

const struct model_design model_design_radix = {
    .name = "radix",
    .what = "x86-64's tree with this many levels; 4 and 5 are what CPUs have",
    .sharing = SHARING,
    .number = "levels",
    .numbers = {1, 2, 3, 4, 5},
    .create = create_x86,
};

const struct model_design model_design_sv = {
    .name = "sv",
    .what = "RISC-V's tree for addresses of this many bits",
    .sharing = SHARING,
    .number = "bits",
    .numbers = {39, 48, 57},
    .create = create_sv,
};

const struct model_design model_design_flat = {
    .name = "flat",
    .what = "x86-64's entries with levels merged: the widths of the indices, the root's first",
    .sharing = SHARING,
    .has_widths = true,
    .check = check_flat,
    .create = create_flat,
};
