/* SPDX-License-Identifier: MIT */
/*
 * A machine from a snapshot, in the steps of a start:
 *
 *   restore_check     this host can go on with it                          before the VM is made
 *   restore_memory    in place of the image                                 the VM is made, with no paging mode yet
 *   restore_machine   devices, and the pages that the guest does not have   before the socket is open
 *   restore_start     in place of vm_start()
 */
#ifndef GNOMON_MACHINE_RESTORE_H
#define GNOMON_MACHINE_RESTORE_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "dev/serial.h"
#include "platform/platform.h"
#include "snapshot/reader.h"

/* What this host lacks: -ENOTSUP with a clause of at most SNAPSHOT_WHY_MAX bytes. */
int must_check restore_check(const struct snapshot *s, char *ret_why);

/* All `path` below is for messages. -EBADMSG: the file is damaged; -errno of the host. Logged. */
int must_check restore_memory(struct snapshot *s, const char *path, struct vm *vm);

/*
 * The same, but maps the pages privately: guests from one file share what they do not write, and the guest runs before
 * memory was read. A thread checks the files meanwhile, and ends the run when one is damaged. They may not change, and the
 * snapshot stays open, until restore_lazy_end(), which comes before the VM is destroyed.
 *
 * A guest that ended by itself, or was killed for a mistake, may have done so for what it should not have read: the thread
 * goes on to the end of the files. A run that ended otherwise needs no more checks.
 */
struct restore_lazy {
	struct vm *vm;
	const char *path;
	const struct snapshot *s;    /* which the thread does not change */
	struct snapshot_block block; /* the thread's own */
	struct stat files[SNAPSHOT_CHAIN_MAX]; /* as they were before they were mapped */
	pthread_t thread;
	bool has_thread;
	atomic_bool damaged, given_up;
};
int must_check restore_memory_lazily(struct snapshot *s, const char *path, struct vm *vm,
                                     struct restore_lazy *ret_lazy);

/*
 * Waits for the thread; a signal at `signal_fd` ends that. The exit status of the run, whose own would be `status`; logged
 * when it is another.
 */
int restore_lazy_end(struct restore_lazy *lazy, int signal_fd, int status);

/* What the platform is made with. */
struct boot_state restore_boot_state(const struct snapshot *s);
uint64_t restore_balloon_features(const struct snapshot *s);

int must_check restore_machine(const struct snapshot *s, const char *path, struct vm *vm, struct serial *console,
                               struct platform *platform);
int must_check restore_start(const struct snapshot *s, struct vm *vm);

#endif
