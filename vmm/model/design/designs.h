/* SPDX-License-Identifier: MIT */
/* What each design's file defines for the catalogue. */
#ifndef GNOMON_MODEL_DESIGN_DESIGNS_H
#define GNOMON_MODEL_DESIGN_DESIGNS_H

#include "model/design/catalogue.h"

extern const struct model_design model_design_radix, model_design_sv, model_design_flat; /* radix_design.c */
extern const struct model_design model_design_inverted;                                  /* inverted.c */
extern const struct model_design model_design_chain;                                     /* chain.c */
extern const struct model_design model_design_linear, model_design_cluster;              /* linear.c */
extern const struct model_design model_design_cuckoo;                                    /* cuckoo.c */

#endif
