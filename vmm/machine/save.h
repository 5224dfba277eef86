/* SPDX-License-Identifier: MIT */
/*
 * Saves a running VM to a file. The guest stands still while its CPUs and devices are read and the process is forked; the
 * child has memory as it was then (the kernel copies a page before the guest writes to it), and writes it.
 *
 *   control thread                         child                     watcher
 *   replace_begin
 *   vm_at_rest: state, fork -------------> pages, state, hashes      waits for the child
 *   reply: the pause                       fsync, rename, exit ----> SNAPSHOT_END
 */
#ifndef GNOMON_MACHINE_SAVE_H
#define GNOMON_MACHINE_SAVE_H

#include <limits.h>
#include <pthread.h>

#include "base/replace.h"
#include "control/ops.h"
#include "dev/serial.h"
#include "platform/platform.h"
#include "snapshot/state.h"

/* What the child tells its parent, in memory that both have. */
struct save_progress {
	_Atomic uint64_t done, bytes, stored, zero, absent;
	_Atomic int error;          /* -errno that ended it; 0 */
	_Atomic(const char *) step; /* at which; static */
};

struct save {
	struct vm *vm;
	struct serial *console;
	struct platform *platform;
	const char *guest; /* its name */
	/* Told of the end, on the watcher's thread; may be NULL. */
	void (*ended)(void *ctx, const struct control_snapshot *snapshot);
	void *ctx;

	pthread_mutex_t lock; /* what follows, but for the progress */
	pthread_t watcher;
	bool has_watcher, saving, cancelled;
	int error; /* of the last one: -errno, or 0 */
	const char *step;
	pid_t parent, child;
	char file[PATH_MAX];
	int64_t start_us, end_us;
	uint64_t pause_us;
	struct replace out;
	bool compress;
	struct save_progress *progress;
	/* For the child, made while the VM is at rest. */
	struct snapshot_shape shape;
	uint8_t *state;
	size_t state_size;
};

/* `ended` and what it needs are filled in by the caller. -errno, logged. save_destroy() comes after save_finish(). */
int must_check save_init(struct save *s, struct vm *vm, struct serial *console, struct platform *platform,
                         const char *guest);
void save_destroy(struct save *s);

/* Callbacks of struct control_ops, see there. The control thread. */
int must_check save_begin(struct save *s, const char *file, bool compress, uint64_t *ret_pause_us,
                          struct control_error *err);
void save_look(struct save *s, struct control_snapshot *ret_snapshot);

/* Waits for the end of a save; with `cancel` ends it first, and the old file stays. The control thread still lives. */
void save_finish(struct save *s, bool cancel);

/* --- machine/save_child.c --- */

/* In the child: writes the file, and does not return. */
_Noreturn void save_child(struct save *s);

#endif
