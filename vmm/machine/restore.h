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
 */
struct restore_lazy {
	struct vm *vm;
	const char *path;
	const struct snapshot *s;    /* which the thread does not change */
	struct snapshot_block block; /* the thread's own */
	pthread_t thread;
	bool has_thread;
};
int must_check restore_memory_lazily(struct snapshot *s, const char *path, struct vm *vm,
                                     struct restore_lazy *ret_lazy);
void restore_lazy_end(struct restore_lazy *lazy);

/* What the platform is made with. */
struct boot_state restore_boot_state(const struct snapshot *s);
uint64_t restore_balloon_features(const struct snapshot *s);

int must_check restore_machine(const struct snapshot *s, const char *path, struct vm *vm, struct serial *console,
                               struct platform *platform);
int must_check restore_start(const struct snapshot *s, struct vm *vm);

#endif
