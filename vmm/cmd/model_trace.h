/* SPDX-License-Identifier: MIT */
/*
 * The file of `gnomon model --write-trace`. A regular file is written beside and takes its place when the trace is whole:
 * what was there before stays if not. A FIFO, a device and a descriptor of this process are written as the addresses
 * come; the mark of the end stands behind a whole trace only.
 */
#ifndef GNOMON_CMD_MODEL_TRACE_H
#define GNOMON_CMD_MODEL_TRACE_H

#include "base/patience.h"
#include "base/replace.h"
#include "model/trace/write.h"

struct model_trace {
	struct trace_writer writer; /* its `to` is NULL: nothing is written */
	const char *path;
	struct patience patience; /* with readers */
	int fd;
	int error; /* the first -errno of a write */
	struct replace replace;
	bool replaces;
};

/*
 * Opens `path` and writes the head. A FIFO's reader is waited for. Nothing waits once `give_up_fd` is readable. -errno,
 * logged; -EINTR. `t` stays where it is until the end.
 */
int must_check model_trace_begin(struct model_trace *t, const char *path, int give_up_fd);

/* `r` tells how the addresses ended: 0, they are all there. -errno: `r`, or what writing failed with, logged. */
int must_check model_trace_end(struct model_trace *t, int r);

#endif
