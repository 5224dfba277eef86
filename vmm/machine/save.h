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
#include "vm/dirty.h"

/* What the child tells its parent, in memory that both have. */
struct save_progress {
	_Atomic uint64_t done, bytes, stored, zero, absent, unchanged;
	_Atomic int error;          /* -errno that ended it; 0 */
	_Atomic(const char *) step; /* at which; static */
	uint8_t root[SNAPSHOT_HASH]; /* of the file that is complete */
};

/*
 * Which pages were written since the last file that was saved with `track` (machine/save_since.c). The control thread alone
 * comes here, but for the child, which has a copy.
 *
 *   at rest, before the fork   taken = what was written until now
 *   the file is complete       its root is the one to build on
 *   it is not                  what was taken is put back
 */
struct save_since {
	struct dirty_reader log;
	uint64_t *taken; /* a map of pages */
	bool pending;    /* the end of the save that took them was not looked at */
	bool known;      /* there is a file to build on: its root */
	uint8_t root[SNAPSHOT_HASH];
	char base[SNAPSHOT_NAME]; /* the name of the file that the current one builds on; empty: it stands alone */
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
	bool compress, track;
	struct save_since since;
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
int must_check save_begin(struct save *s, const struct control_save *wanted, uint64_t *ret_pause_us,
                          struct control_error *err);
void save_look(struct save *s, struct control_snapshot *ret_snapshot);
/* Draws the consequences of a save that has ended, if there are any left. The control thread, between commands. */
void save_settle(struct save *s);

/*
 * The VM has ended, so that no save begins any more: waits for the end of the last; with `cancel` ends it first, and the
 * old file stays. The control thread still lives, and answers.
 */
void save_finish(struct save *s, bool cancel);

/* --- machine/save_since.c; s->lock is held --- */

/* Before the guest stands still, with the new file open: whether it can build on `since`, NULL for none. -errno with *err. */
int must_check save_since_check(struct save *s, const char *since, struct control_error *err);
/* At rest: takes which pages were written, if anybody wants to know. -errno with a sentence. */
int must_check save_since_take(struct save *s, char *ret_why);
/* The save has ended. */
void save_since_end(struct save *s, bool saved);
/* Whether the child writes this page. */
bool save_since_has(const struct save_since *since, uint64_t gfn);

/* --- machine/save_child.c --- */

/* In the child: writes the file, and does not return. */
_Noreturn void save_child(struct save *s);

#endif
