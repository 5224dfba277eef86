/* SPDX-License-Identifier: MIT */
/*
 * A vCPU made as good as new. What a new one has differs between hosts and kernels, and no list names it all; so a new
 * one is made, in a VM of its own, and its state is copied. That is a millisecond at a reset, and nothing at a start.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/cpu_saved.h"
#include "kvm/cpuid.h"
#include "vm/reset.h"
#include "vm/vcpu.h"

/* KVM_RUNs that complete one instruction's port or memory accesses: a string instruction takes several. */
#define COMPLETIONS_MAX 10000

#define MSR_TSC   0x10
#define CALL_MSRS 128 /* in one ioctl; KVM takes less than 256 */

/* The header behind the 512 bytes of FXSAVE, APM2 11.5.3. */
#define XSTATE_BV  (512 / 4)
#define XSTATE_FP  (1u << 0)
#define XSTATE_SSE (1u << 1)

struct new_vcpu {
	int vm_fd, fd;
};

static int make_new(const struct vcpu *like, struct new_vcpu *ret)
{
	do
		ret->vm_fd = ioctl(like->vm->kvm_fd, KVM_CREATE_VM, 0);
	while (ret->vm_fd < 0 && errno == EINTR);
	if (ret->vm_fd < 0)
		return -errno;
	ret->fd = ioctl(ret->vm_fd, KVM_CREATE_VCPU, like->id); /* the number shows in some registers */
	if (ret->fd < 0 || cpuid_set(ret->fd, like->id) < 0) {
		const int r = ret->fd < 0 ? -errno : -EIO;

		if (ret->fd >= 0)
			close(ret->fd);
		close(ret->vm_fd);
		return r;
	}
	return 0;
}

/* --- MSRs --- */

/* KVM's list and ours, as entries. NULL without memory. */
static struct kvm_msr_entry *list_msrs(int kvm_fd, size_t *ret_nr)
{
	struct kvm_msr_list none = {0}, *list;
	struct kvm_msr_entry *e = NULL;
	size_t n = 0, room;

	(void)ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, &none); /* -E2BIG, with their number */
	list = calloc(1, sizeof(*list) + none.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return NULL;
	list->nmsrs = none.nmsrs;
	if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0)
		list->nmsrs = 0;
	room = list->nmsrs;
	for (size_t i = 0; i < CPU_EXTRA_RANGES; i++)
		room += cpu_extra_msrs[i].end - cpu_extra_msrs[i].first;
	e = calloc(room, sizeof(*e));
	for (uint32_t i = 0; e && i < list->nmsrs; i++)
		e[n++].index = list->indices[i];
	for (size_t i = 0; e && i < CPU_EXTRA_RANGES; i++)
		for (uint32_t index = cpu_extra_msrs[i].first; index < cpu_extra_msrs[i].end; index++)
			e[n++].index = index;
	free(list);
	*ret_nr = n;
	return e;
}

/* KVM_GET_MSRS or KVM_SET_MSRS of all; what it refuses is left out, and its `reserved` is 1. -errno. */
static int call_msrs(int fd, unsigned long request, struct kvm_msr_entry *e, size_t nr)
{
	uint64_t space[(sizeof(struct kvm_msrs) + CALL_MSRS * sizeof(*e)) / sizeof(uint64_t)];
	struct kvm_msrs *call = (void *)space; /* ends in a flexible array */

	for (size_t at = 0; at < nr;) {
		const size_t n = nr - at < CALL_MSRS ? nr - at : CALL_MSRS;
		int done;

		*call = (struct kvm_msrs){.nmsrs = (uint32_t)n};
		memcpy(call->entries, e + at, n * sizeof(*e));
		done = ioctl(fd, request, call);
		if (done < 0)
			return -errno;
		memcpy(e + at, call->entries, (size_t)done * sizeof(*e));
		at += (size_t)done;
		if ((size_t)done < n)
			e[at++].reserved = 1;
	}
	return 0;
}

/* Sets those that are other than in a new vCPU. What KVM refuses to set no guest has changed: it counts something. */
static int copy_msrs(const struct vcpu *vcpu, int from)
{
	size_t nr, changed = 0;
	struct kvm_msr_entry *now = list_msrs(vcpu->vm->kvm_fd, &nr);
	struct kvm_msr_entry *new = now ? calloc(nr, sizeof(*new)) : NULL;
	int r = new ? 0 : -ENOMEM;

	if (r == 0) {
		memcpy(new, now, nr * sizeof(*new));
		r = call_msrs(vcpu->fd, KVM_GET_MSRS, now, nr);
	}
	if (r == 0)
		r = call_msrs(from, KVM_GET_MSRS, new, nr);
	for (size_t i = 0; r == 0 && i < nr; i++) {
		if (now[i].reserved || new[i].reserved || now[i].data == new[i].data)
			continue;
		now[changed] = new[i];
		/* 0 is what makes KVM start the counters of all CPUs at one time. */
		if (now[changed].index == MSR_TSC)
			now[changed].data = 0;
		changed++;
	}
	if (r == 0)
		r = call_msrs(vcpu->fd, KVM_SET_MSRS, now, changed);
	free(now);
	free(new);
	return r;
}

/* --- the rest --- */

/* One kind of state that `get` gives and `set` takes, through a buffer of its size. */
static int copy(int to, int from, unsigned long get, unsigned long set, void *state)
{
	return ioctl(from, get, state) < 0 || ioctl(to, set, state) < 0 ? -errno : 0;
}

static bool has(const struct vcpu *vcpu, int capability)
{
	return ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, capability) > 0;
}

/* x87, SSE and what came after them; KVM_SET_FPU leaves MXCSR as it was. */
static int copy_fpu(const struct vcpu *vcpu, int from)
{
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	int r;

	if (has(vcpu, KVM_CAP_XSAVE)) {
		r = ioctl(from, KVM_GET_XSAVE, &xsave) < 0 ? -errno : 0;
		/* MXCSR is taken over with one of these two only, also when they are in their first state. */
		xsave.region[XSTATE_BV] |= XSTATE_FP | XSTATE_SSE;
		if (r == 0 && ioctl(vcpu->fd, KVM_SET_XSAVE, &xsave) < 0)
			r = -errno;
	} else {
		r = copy(vcpu->fd, from, KVM_GET_FPU, KVM_SET_FPU, &fpu);
	}
	if (r == 0 && has(vcpu, KVM_CAP_XCRS))
		r = copy(vcpu->fd, from, KVM_GET_XCRS, KVM_SET_XCRS, &xcrs);
	return r;
}

static int copy_state(struct vcpu *vcpu, int from)
{
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	int r = copy(vcpu->fd, from, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, &events);

	if (r == 0)
		r = copy(vcpu->fd, from, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, &debug);
	if (r == 0)
		r = copy_fpu(vcpu, from);
	return r < 0 ? r : copy_msrs(vcpu, from);
}

/* An access that left KVM_RUN is completed by the next one, which would write the old guest's registers. */
static int complete_exit(struct vcpu *vcpu)
{
	int r = 0;

	vcpu->run->kvm_dirty_regs = 0;
	for (int i = 0; r == 0 && i < COMPLETIONS_MAX; i++) {
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		r = ioctl(vcpu->fd, KVM_RUN, 0);
	}
	return r < 0 && errno == EINTR ? 0 : -EIO;
}

int vcpu_forget(struct vcpu *vcpu)
{
	struct new_vcpu new = {.vm_fd = -1, .fd = -1};
	int r = complete_exit(vcpu);

	if (r == 0)
		r = make_new(vcpu, &new);
	if (r == 0) {
		r = copy_state(vcpu, new.fd);
		close(new.fd);
		close(new.vm_fd);
	}
	/* Without an APIC in KVM the task priority travels with each KVM_RUN, whatever sregs say. */
	vcpu->run->cr8 = vcpu->reset_sregs.cr8;
	vcpu->run->request_interrupt_window = 0;
	return r < 0 ? log_errno(-r, "KVM does not reset vCPU %d", vcpu->id) : 0;
}
