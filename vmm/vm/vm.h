/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine: KVM's file descriptors, guest RAM in memslots, buses, vCPUs and how it ended. There is no global
 * state: two VMs fit into one process.
 *
 * Lock order: reclaim_lock, paging_lock, a device's lock, vm.lock, vcpu.lock. None is held across KVM_RUN.
 * keep_out_lock comes after reclaim_lock; a vCPU takes it with no other.
 */
#ifndef GNOMON_VM_VM_H
#define GNOMON_VM_VM_H

#include <gnomon/addr.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "boot/boot.h"
#include "dev/bus.h"
#include "mem/guest_mem.h"
#include "stage2/stage2.h"
#include "vm/paging.h"
#include "vm/withdraw.h"

#define VM_MAX_CPUS 64

/* Exit statuses of `gnomon run`; 0-125 are the guest's. */
#define STATUS_HOST_FAILURE 1
#define STATUS_USAGE        2
#define STATUS_KILLED       126
#define STATUS_INTERRUPTED  130 /* ^C, as a shell reports SIGINT */

struct balloon;
struct platform_enclaves;
struct vcpu;
struct shadow_vm;

enum vm_end {
	VM_RUNNING,
	VM_EXITED,      /* the guest wrote its exit port */
	VM_KILLED,      /* the guest did something that only it can be blamed for */
	VM_HOST_FAILED, /* KVM or the host refused what should work */
	VM_STOPPED,     /* somebody outside asked for the end */
	VM_QUIT,        /* a client of the control socket did */
};

/* How the paging mode came to be. Under change_lock. */
struct paging_history {
	unsigned changes;   /* while the guest ran */
	uint64_t since_ms;  /* CLOCK_REALTIME; 0: since the start */
	const char *reason; /* static */
	uint64_t us;        /* for which the guest stood still at the last change */
};

struct vm {
	int kvm_fd; /* /dev/kvm */
	int fd;
	int run_size;   /* bytes of a vCPU's struct kvm_run mapping */
	bool sync_regs; /* KVM_CAP_SYNC_REGS: registers travel in struct kvm_run */
	bool logs_writes; /* KVM logs what the guest writes (vm/dirty.h) */
	struct dirty_reader *dirty_readers; /* who reads the log */
	struct guest_mem mem;
	struct stage2 stage2; /* gpa -> maddr; a guest physical address becomes a pointer only through it */
	struct bus pio, mmio;
	struct balloon *balloon;  /* the platform's; NULL before platform_init() and after platform_destroy() */
	struct platform_enclaves *enclaves; /* the platform's; NULL: this VM has no secure memory */
	const struct paging_ops *paging; /* the mode; changes only while no vCPU runs, under both locks */
	struct paging_config paging_config;
	struct shadow_vm *shadow;    /* shadow mode's own; nobody else looks at it */
	pthread_mutex_t paging_lock; /* what the mode derived from guest memory, and `paging` itself */
	struct vcpu *vcpu[VM_MAX_CPUS];
	int nr_vcpus;
	pthread_mutex_t lock;         /* end, status */
	pthread_mutex_t reclaim_lock; /* whoever changes stage2, until all vCPUs have acknowledged (vm/reclaim.h) */
	_Atomic uint64_t reclaim_generation; /* counts what vCPUs have to acknowledge: vcpu.acked */
	atomic_bool
	    kept_out; /* no vCPU enters the guest: each waits for keep_out_lock. Nested mode, reclaim_lock held */
	pthread_mutex_t keep_out_lock;
	struct withdrawal withdrawal; /* under reclaim_lock; vCPUs out of the guest help */
	_Atomic uint64_t reclaim_edges; /* between reclaimed memory and other: each costs the host a mapping */
	enum vm_end end;
	int status;
	int end_fd;           /* eventfd: readable once end is not VM_RUNNING */
	unsigned pauses;      /* vm_pause() without its vm_resume() yet; under `lock` */
	atomic_bool paused;   /* there are some: vCPUs stay out of the guest */
	pthread_mutex_t change_lock; /* whoever makes a paused VM another: a reset, a change of the mode. Comes first */
	struct paging_history history;
	atomic_int dead_cpus; /* not started, or halted with interrupts off: nothing here can wake them */
};

struct vm_config {
	int cpus;        /* 1 to VM_MAX_CPUS */
	uint64_t memory; /* bytes, a multiple of 2 MiB */
	enum backing backing;
	uint8_t *arena; /* more memory, the caller's own: guest_mem_borrow(); NULL: none */
	uint64_t arena_size;
	const struct paging_ops *paging;
	struct paging_config paging_config;
};

/*
 * Opens KVM and makes the VM with its memory and vCPU threads, none of them in the guest. -errno, logged: nothing is
 * left behind.
 */
int must_check vm_create(struct vm *vm, const struct vm_config *config);

/* Ends the vCPU threads, closes and unmaps everything. */
void vm_destroy(struct vm *vm);

/* Makes what the paging mode needs (paging_ops.create). Call it once, before vm_start(). -errno, logged. */
int must_check vm_create_paging(struct vm *vm);

/* Shows guest RAM to KVM, as it is to be logged, or takes it away with its log (vm/dirty.h). -errno, logged. */
int must_check vm_set_memslots(struct vm *vm, bool present);

/* Starts the boot CPU at `boot`; the others wait for GNOMON_PORT_CPU_START. */
int must_check vm_start(struct vm *vm, const struct boot_state *boot);

/* Ends the run; the first caller decides how. Returns at once: vCPUs leave when kicked. Any thread. */
void vm_end(struct vm *vm, enum vm_end how, int status);

/* How it has been ended; VM_RUNNING: not yet. Any thread. */
enum vm_end vm_how_ended(struct vm *vm);
/* Whether it has been ended, from whatever side. Any thread. */
bool vm_has_ended(struct vm *vm);

/*
 * Takes every vCPU out of the guest and keeps it out. On return no vCPU executes guest code. Each waits or, after a
 * tenth of a second, is held up outside the guest by a device, such as the console that nobody reads. -ETIMEDOUT: a
 * vCPU, its number in *ret_vcpu, does not leave the guest, and the VM goes on. Several callers may pause the VM at a
 * time; it goes on when each has resumed it. Not from a vCPU's thread.
 */
int must_check vm_pause(struct vm *vm, int *ret_vcpu);
void vm_resume(struct vm *vm);

/* Waits until every vCPU thread has left, so that counters and registers stand still. After vm_end(). */
void vm_join(struct vm *vm);

/*
 * The guest made a mistake: logs the sentence, the registers and the bytes at RIP, and ends the run. Only from the
 * vCPU's own thread.
 */
void vm_kill(struct vcpu *vcpu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Returns the TSC frequency that the guest sees, in Hz; 0 when KVM does not tell. */
uint64_t vm_tsc_hz(const struct vm *vm);

#endif
