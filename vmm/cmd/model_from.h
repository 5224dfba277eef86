/* SPDX-License-Identifier: MIT */
/* What a running guest has mapped, as ranges of pages: `gnomon model --from`. */
#ifndef GNOMON_CMD_MODEL_FROM_H
#define GNOMON_CMD_MODEL_FROM_H

#include "model/trace/source.h"

/*
 * Asks at the control socket for the guest's own tables, as its first vCPU walks them. *ret_range is ascending, the caller's to
 * free(), and has one range at least. *ret_cut: the guest's
 * answer had not all of them. -errno, logged.
 */
int must_check model_from_socket(const char *socket, struct model_range **ret_range, size_t *ret_nr, bool *ret_cut);

#endif
