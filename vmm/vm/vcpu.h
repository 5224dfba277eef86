/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: one thread, one KVM vCPU, and the run loop.
 *
 *   other thread                      vCPU's thread
 *   vcpu_request()                    loop: immediate_exit = 0
 *     requests |= bit                       serve requests  <- sees any bit set before
 *     immediate_exit = 1                    inject interrupts
 *     signal, wake                          KVM_RUN         <- leaves at once if set after
 *                                           handle the exit
 *
 * So no request is lost: either the thread sees the bit before KVM_RUN, or immediate_exit or the signal makes KVM_RUN
 * return.
 */
#ifndef GNOMON_VM_VCPU_H
#define GNOMON_VM_VCPU_H

#include <gnomon/abi.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/counter.h"
#include "vm/vm.h"
#include "walk/guest_walk.h"

enum vcpu_request {
	REQ_END = 1 << 0,       /* leave the run loop for good */
	REQ_INTERRUPT = 1 << 1, /* a vector was added to `vectors` */
	REQ_RESET = 1 << 2,     /* forget everything and wait for vcpu_start() again */
};

/*
 * Work for the guest that takes longer than the handler of an exit may: a device sets vcpu->errand there, and the run loop
 * runs it, with no lock held and the vCPU outside the guest.
 */
struct vcpu_errand {
	void (*run)(struct vcpu *vcpu, void *ctx);
	void (*hurry)(struct vcpu *vcpu,
	              void *ctx); /* somebody wants the vCPU: `run` comes to its end soon. Any thread */
	void *ctx;                /* both outlive the vCPU's thread */
};

struct vcpu {
	struct vm *vm;
	int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool has_thread;      /* to be joined: the VM's owner alone */
	bool alive;           /* may be sent a signal; a thread that was joined has no name any more */
	pthread_mutex_t lock; /* run, made, alive, started, and the wait for a wake-up */
	pthread_cond_t wake;
	int made; /* 1: KVM's vCPU is there; negative: why not; 0: not known yet */
	bool started;
	bool ran;                     /* since it was made; its own thread's */
	bool live;                    /* its state was loaded since it was last started; looked at while parked */
	struct kvm_sregs reset_sregs; /* as KVM made them; asking a running vCPU would wait for its exit */
	struct kvm_sregs start_sregs; /* what a started CPU begins with */
	struct kvm_regs start_regs;
	struct cpu_saved *saved; /* what it goes on from instead, until its thread has loaded it: vm/saved.h */
	atomic_uint requests;
	_Atomic(const struct vcpu_errand *) errand; /* NULL: there is none */
	atomic_bool parked;          /* waits, and looks at vm->paused before it enters the guest */
	atomic_bool in_run;          /* inside KVM_RUN, or on the last step to it */
	atomic_bool at_device;       /* inside a device's access(), which may wait for somebody outside */
	_Atomic uint64_t acked;      /* vm->reclaim_generation when it was last seen outside the guest */
	atomic_uint pins;            /* see vcpu_pin() */
	_Atomic uint64_t vectors[4]; /* interrupts to deliver, by number; the highest goes first */
	struct counters counters;
	unsigned refused;           /* so often in a row; its own thread's */
	bool halted;                /* nested mode's: HLT left KVM_RUN, and no interrupt was delivered since */
	bool incomplete;            /* nested mode's: the next KVM_RUN completes an access, or takes the first state */
	const char *unsettled;      /* what KVM holds of a half-done instruction; NULL: nothing. See settled() */
	struct shadow_vcpu *shadow; /* shadow mode's own; nobody else looks at it */
};

/*
 * Starts the thread of vCPU `id`. The thread makes KVM's vCPU while the caller goes on with the image, then waits for
 * vcpu_start(). vm->fd must be open, and the memslots are better set by now: beside a vCPU that is being made KVM takes
 * several times as long for one. -errno, logged.
 */
int must_check vcpu_create(struct vm *vm, int id, struct vcpu **ret_vcpu);

/* Waits until the thread has made KVM's vCPU. Call it before anything uses fd, run or reset_sregs. -errno of that. */
int must_check vcpu_wait_made(struct vcpu *vcpu);

/* Waits for the end of the thread, if there is one. */
void vcpu_join(struct vcpu *vcpu);

/* Ends the thread (REQ_END must be set if it runs) and frees everything. NULL is fine. */
void vcpu_destroy(struct vcpu *vcpu);

/* Lets a waiting vCPU run from this state. -EBUSY if it was started before. Any thread. */
int must_check vcpu_start(struct vcpu *vcpu, const struct kvm_sregs *sregs, const struct kvm_regs *regs);

/* What takes a vCPU out of the run loop. */
#define REQ_LEAVE (REQ_END | REQ_RESET)

/* Runs the guest until a request of REQ_LEAVE, which it returns. The vCPU's own thread. */
unsigned vcpu_run_loop(struct vcpu *vcpu);

/*
 * True: the vCPU goes on to KVM_RUN. False: vCPUs were kept out of the guest (vm/reclaim.h), this one waited until it
 * was let in, and the caller starts again. It sets in_run before it looks at kept_out: so either vm_keep_out() sees it
 * in KVM_RUN and kicks it, or this vCPU sees that it is kept out. While it waits it helps to withdraw memory.
 * vcpu_end_run() comes right after KVM_RUN and leaves errno as it is.
 */
bool must_check vcpu_begin_run(struct vcpu *vcpu);
void vcpu_end_run(struct vcpu *vcpu);

/* Sets request bits and makes the vCPU look at them. Any thread; after nudge_catch(), whose signal a kick sends. */
void vcpu_request(struct vcpu *vcpu, unsigned bits);

/* Makes the vCPU leave KVM_RUN, or not enter it, once. Any thread. */
void vcpu_kick(struct vcpu *vcpu);

/* Somebody asked for the vCPU since its run loop last looked: an errand does not begin what can take long. */
bool vcpu_is_wanted(const struct vcpu *vcpu);

/* Lets a vCPU that waits look at vm->paused again. Any thread. */
void vcpu_wake(struct vcpu *vcpu);

/* Makes external interrupt `vector` (32-255) pending: edge-triggered, no EOI. Any thread. */
void vcpu_interrupt(struct vcpu *vcpu, int vector);

/*
 * vcpu_must_park() is true while the VM is paused and has not ended: a vCPU's thread that waits is parked, and stays
 * so. Call it under vcpu.lock: so a vCPU that vcpu_is_parked() (any thread) sees parked in a paused VM remains parked.
 */
bool vcpu_must_park(const struct vcpu *vcpu);
bool vcpu_is_parked(struct vcpu *vcpu);

/* Waits in the vCPU's own thread until a request or an interrupt is there. */
void vcpu_wait(struct vcpu *vcpu);

/* The segment, control and EFER values that include/gnomon/abi.h promises to an entry with this CR3. */
struct kvm_sregs vcpu_boot_sregs(const struct vcpu *vcpu, uint64_t cr3);

/* Prints the registers and the bytes at RIP on stderr. From the vCPU's own thread, or after it has ended. */
void vcpu_print(struct vcpu *vcpu);

/*
 * Between pin and unpin, what the second stage gives stays where it is: reclaim waits before it takes the memory. Look
 * up after the pin, and wait for nothing before the unpin. In shadow mode paging_lock has the same effect.
 */
static inline void vcpu_pin(struct vcpu *vcpu)
{
	atomic_fetch_add(&vcpu->pins, 1);
}

static inline void vcpu_unpin(struct vcpu *vcpu)
{
	atomic_fetch_sub(&vcpu->pins, 1);
}

/* Returns how a CPU in this state walks its tables. */
struct walk_mode vcpu_walk_mode(const struct cpu_state *state);

/* Reads the byte at a guest virtual address for a vCPU in this state. False: nothing is mapped there. */
bool vcpu_peek(struct vcpu *vcpu, const struct cpu_state *state, gva_t at, uint8_t *ret_byte);

/* Reads the entry at a guest physical address, which another CPU may be changing. False: outside guest memory. */
bool vcpu_guest_entry(struct vcpu *vcpu, uint64_t at, uint64_t *ret_entry);

/* As bus_dispatch(); who waits for the vCPU learns meanwhile that it is a device that has it. The vCPU's own thread. */
bool vcpu_dispatch(struct vcpu *vcpu, const struct bus *bus, const struct bus_access *a);

/* Does one port access of the guest: to a device, or to the floating bus. */
void vcpu_port_access(struct vcpu *vcpu, uint16_t port, uint8_t size, uint32_t count, bool write, uint8_t *data);

/* HLT: waits for an interrupt, or, with interrupts off, for the end. */
void vcpu_halt(struct vcpu *vcpu, bool interrupts_on);

/* Handles an exit of KVM_RUN: one handler per reason (vm/exit.c). */
void vcpu_handle_exit(struct vcpu *vcpu);

/* KVM_RUN failed with errno `err`: a kick, or the guest's mistake or the host's failure, which end the run. */
void vcpu_run_failed(struct vcpu *vcpu, int err);

/* Returns the highest pending vector, -1 if none; and clears one that was delivered. */
int vcpu_pending_vector(const struct vcpu *vcpu);
void vcpu_clear_vector(struct vcpu *vcpu, int vector);

#endif
