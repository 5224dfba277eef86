/* SPDX-License-Identifier: MIT */
/*
 * `--paging auto`: a thread that looks at the guest from time to time, and changes the paging mode (paging/policy.h).
 */
#ifndef GNOMON_MACHINE_AUTO_H
#define GNOMON_MACHINE_AUTO_H

#include <pthread.h>
#include <semaphore.h>

#include "paging/policy.h"
#include "vm/rest.h"
#include "vm/vm.h"

/* Told of a change, on the thread of paging_auto: `reason` is static, `detail` lives for the call. */
typedef void (*paging_auto_fn)(void *ctx, const char *mode, const char *reason, const char *detail, uint64_t us);

struct paging_auto {
	struct vm *vm;
	bool dry_run; /* logs what it would do, and does not */
	paging_auto_fn changed;
	void *ctx;
	pthread_t thread;
	bool has_thread;
	sem_t end;
	/* The thread's alone */
	struct policy policy;
	struct policy_window window, fresh; /* the one that runs, and what each begins with */
	uint64_t start_us, traps;
	unsigned blind;   /* looks to leave out */
	const char *said; /* by a dry run, of what still holds */
	char refusal[VM_WHY_MAX];                      /* the last one, which was told */
	uint64_t root[VM_MAX_CPUS], hash[VM_MAX_CPUS]; /* at the look before */
};

/* After vm_start(). `changed` may be NULL. -errno, logged. */
int must_check paging_auto_start(struct paging_auto *a, struct vm *vm, bool dry_run, paging_auto_fn changed, void *ctx);

/* Ends the thread. Before the VM goes. */
void paging_auto_stop(struct paging_auto *a);

#endif
