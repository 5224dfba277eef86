/* SPDX-License-Identifier: MIT */
#include "model/design/catalogue.h"

#include "model/design/designs.h"

/* In the order of the tables that are printed. */
static const struct model_design *const designs[] = {
    &model_design_radix, &model_design_sv,     &model_design_flat,    &model_design_inverted,
    &model_design_chain, &model_design_linear, &model_design_cluster, &model_design_cuckoo,
};

const struct model_design *model_design(size_t i)
{
	return i < sizeof(designs) / sizeof(designs[0]) ? designs[i] : NULL;
}
