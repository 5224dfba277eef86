/* SPDX-License-Identifier: MIT */
/* What a guest has mapped, running or in a snapshot, as ranges of pages: `gnomon model --from`. */
#ifndef GNOMON_CMD_MODEL_FROM_H
#define GNOMON_CMD_MODEL_FROM_H

#include "model/trace/source.h"

/*
 * The guest's own tables, as its first vCPU walks them: asked for at the control socket `from`, or read from the
 * snapshot there. *ret_range is ascending, the caller's to free(), and has one range at least. *ret_cut: not all of
 * them were told. -errno, logged.
 */
int must_check model_from(const char *from, struct model_range **ret_range, size_t *ret_nr, bool *ret_cut);

#endif
