/* SPDX-License-Identifier: MIT */
#include "monitor/enclave_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <gnomon/x86.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/state.h"
#include "kvm/cpu_regs.h"
#include "kvm/cpuid.h"
#include "kvm/refusal.h"
#include "stub/stub.h"
#include "stub/stub_layout.h"

#define RFLAGS_USER 0xdd5 /* what a program may have: CF PF AF ZF SF DF OF, TF */

enum { SLOT_MEMORY, SLOT_STUB, SLOT_BUFFER };

struct enclave_vm {
	int fd, vcpu_fd;
	struct kvm_run *run;
	int run_size;
	unsigned refused; /* so often in a row */
	bool quiet;
	uint8_t *stub_pages;
	struct stub_layout stub;
	maddr_t root;
	uint64_t base;                             /* the enclave's first address */
	struct kvm_userspace_memory_region memory; /* its slot */
};

/* The order of stub_build()'s pages. */
void enclave_vm_fixed(maddr_t stub, struct enclave_fixed ret[ENCLAVE_VM_FIXED])
{
	const maddr_t text = stub_page_of(stub, STUB_TEXT);

	ret[0] = (struct enclave_fixed){STUB_TEXT, PAGE_SIZE, text, PT_R | PT_X};
	ret[1] = (struct enclave_fixed){STUB_IDT, PAGE_SIZE, stub_page_of(stub, STUB_IDT), PT_R};
	ret[2] = (struct enclave_fixed){STUB_GDT, PAGE_SIZE, stub_page_of(stub, STUB_GDT), PT_R | PT_W};
	ret[3] = (struct enclave_fixed){STUB_CPU(0), PAGE_SIZE, stub_page_of(stub, STUB_CPU(0)), PT_R | PT_W};
	ret[4] = (struct enclave_fixed){STUB_CPU(0) + PAGE_SIZE, PAGE_SIZE, stub_page_of(stub, STUB_CPU(0) + PAGE_SIZE),
	                                PT_R | PT_W};
}

/* For what makes an enclave: a signal that was sent to end a run may come only now, and means nothing any more. */
static int patient_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && errno == EINTR);
	return r;
}

static int failed(const struct enclave_vm *vm, int error, const char *what)
{
	return vm->quiet ? -error : log_errno(error, "%s", what);
}

static int set_slot(struct enclave_vm *vm, struct kvm_userspace_memory_region r)
{
	return patient_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, (unsigned long)&r) < 0
	           ? failed(vm, errno, "an enclave's memory slot")
	           : 0;
}

static int add_slot(struct enclave_vm *vm, unsigned slot, maddr_t at, uint64_t size, uint8_t *host)
{
	const struct kvm_userspace_memory_region r = {
	    .slot = slot, .guest_phys_addr = maddr_raw(at), .memory_size = size, .userspace_addr = (uintptr_t)host};

	if (slot == SLOT_MEMORY)
		vm->memory = r;
	return set_slot(vm, r);
}

int enclave_vm_forget(struct enclave_vm *vm)
{
	struct kvm_userspace_memory_region none = vm->memory;
	int r;

	none.memory_size = 0;
	r = set_slot(vm, none);
	return r < 0 ? r : set_slot(vm, vm->memory);
}

static int make_slots(struct enclave_vm *vm, const struct enclave_vm_config *c, const struct enclave_info *info)
{
	const uint64_t stub_size = stub_pages(1) * PAGE_SIZE;
	int r;

	vm->stub_pages = mmap(NULL, stub_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->stub_pages == MAP_FAILED)
		return failed(vm, errno, "memory for an enclave's stub");
	vm->stub.host = vm->stub_pages;
	stub_build(&vm->stub);
	r = add_slot(vm, SLOT_MEMORY, info->memory, info->size, c->memory + maddr_raw(info->memory));
	if (r == 0)
		r = add_slot(vm, SLOT_STUB, vm->stub.base, stub_size, vm->stub_pages);
	if (r == 0 && c->buffer && info->create.buffer_size)
		r = add_slot(vm, SLOT_BUFFER, info->buffer, info->create.buffer_size, c->buffer);
	return r;
}

/* As ENTER promises: FS begins at the enclave's base. */
static void first_data_segments(const struct enclave_vm *vm, struct kvm_sregs *s)
{
	s->ds = s->es = s->fs = s->gs = (struct kvm_segment){.unusable = 1};
	s->fs.base = vm->base;
}

static void first_sregs(struct enclave_vm *vm, struct kvm_sregs *s)
{
	s->cs =
	    (struct kvm_segment){.selector = STUB_CS, .type = 0xb, .s = 1, .present = 1, .l = 1, .g = 1, .limit = ~0u};
	s->ss =
	    (struct kvm_segment){.selector = STUB_SS, .type = 0x3, .s = 1, .present = 1, .db = 1, .g = 1, .limit = ~0u};
	first_data_segments(vm, s);
	s->ldt = (struct kvm_segment){.unusable = 1};
	s->tr =
	    (struct kvm_segment){.base = STUB_CPU(0), .limit = 0x67, .selector = STUB_TR(0), .type = 0xb, .present = 1};
	s->gdt.base = STUB_GDT;
	s->gdt.limit = STUB_TR(1) - 1;
	s->idt.base = STUB_IDT;
	s->idt.limit = STUB_VECTORS * 16 - 1;
	s->cr0 = CR0_PE | CR0_MP | CR0_NE | CR0_ET | CR0_PG | CR0_WP;
	s->cr3 = maddr_raw(vm->root);
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
}

static bool is_refused_for_ever(struct enclave_vm *vm, int error)
{
	if (!kvm_is_refused_for_ever(&vm->refused, error))
		return false;
	if (!vm->quiet)
		log_error("KVM cannot run an enclave: " KVM_REFUSED);
	return true;
}

/* Enters nothing. INIT fails for what would else fail ENTER. */
static int try_run(struct enclave_vm *vm)
{
	int r;

	vm->run->immediate_exit = 1;
	do
		r = ioctl(vm->vcpu_fd, KVM_RUN, 0);
	while (r < 0 && errno == EAGAIN && !is_refused_for_ever(vm, EAGAIN));
	vm->run->immediate_exit = 0;
	if (r < 0 && errno != EINTR)
		return errno == EAGAIN ? -EAGAIN : failed(vm, errno, "KVM_RUN of a new enclave");
	vm->refused = 0;
	return 0;
}

static int make_vcpu(struct enclave_vm *vm)
{
	const struct kvm_msr_entry msr[] = {{.index = MSR_STAR, .data = (uint64_t)STUB_CS << 32},
	                                    {.index = MSR_LSTAR, .data = stub_address(stub_syscall)},
	                                    {.index = MSR_SYSCALL_MASK, .data = ~0u}};
	struct kvm_sregs sregs;
	void *run;

	vm->vcpu_fd = patient_ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu_fd < 0)
		return failed(vm, errno, "KVM_CREATE_VCPU of an enclave");
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd, 0);
	if (run == MAP_FAILED)
		return failed(vm, errno, "cannot map the run structure of an enclave");
	vm->run = run;
	vm->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	if (cpuid_set(vm->vcpu_fd, 0) < 0)
		return -EIO;
	if (patient_ioctl(vm->vcpu_fd, KVM_GET_SREGS, (unsigned long)&sregs) < 0)
		return failed(vm, errno, "KVM_GET_SREGS of an enclave");
	first_sregs(vm, &sregs);
	if (patient_ioctl(vm->vcpu_fd, KVM_SET_SREGS, (unsigned long)&sregs) < 0)
		return failed(vm, errno, "KVM_SET_SREGS of an enclave");
	vm->run->s.regs.sregs = sregs;
	if (cpu_regs_set_msrs(vm->vcpu_fd, msr, 3) != 3)
		return failed(vm, EIO, "KVM_SET_MSRS of an enclave");
	return try_run(vm);
}

struct enclave_vm *enclave_vm_create(const struct enclave_vm_config *c, const struct enclave_info *info, maddr_t stub)
{
	struct enclave_vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		if (!c->quiet)
			log_error("no memory for an enclave");
		return NULL;
	}
	*vm = (struct enclave_vm){.fd = -1,
	                          .vcpu_fd = -1,
	                          .root = info->root,
	                          .base = info->create.base,
	                          .stub_pages = MAP_FAILED,
	                          .quiet = c->quiet};
	vm->stub = (struct stub_layout){.base = stub, .cpus = 1};
	vm->run_size = ioctl(c->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->fd = patient_ioctl(c->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0 || vm->run_size < 0) {
		(void)failed(vm, errno, "KVM_CREATE_VM for an enclave");
	} else if (make_slots(vm, c, info) == 0 && make_vcpu(vm) == 0) {
		vm->quiet = false; /* what comes now ends the run */
		return vm;
	}
	enclave_vm_destroy(vm);
	return NULL;
}

void enclave_vm_destroy(struct enclave_vm *vm)
{
	if (!vm)
		return;
	if (vm->run)
		munmap(vm->run, vm->run_size);
	if (vm->vcpu_fd >= 0)
		close(vm->vcpu_fd);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->stub_pages != MAP_FAILED)
		munmap(vm->stub_pages, stub_pages(1) * PAGE_SIZE);
	free(vm);
}

static bool is_same_segment(const struct kvm_segment *a, const struct kvm_segment *b)
{
	return a->base == b->base && a->selector == b->selector;
}

/* An enclave can load a data segment, and with it the base of FS. The next ENTER finds nothing of that. */
static void load_segments(struct enclave_vm *vm)
{
	struct kvm_sregs *s = &vm->run->s.regs.sregs, first = *s;

	first_data_segments(vm, &first);
	if (is_same_segment(&s->ds, &first.ds) && is_same_segment(&s->es, &first.es) &&
	    is_same_segment(&s->fs, &first.fs) && is_same_segment(&s->gs, &first.gs))
		return;
	*s = first;
	vm->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
}

/* The way in: the stub's IRETQ. */
static void load(struct enclave_vm *vm, struct enclave_context *c)
{
	struct kvm_regs *r = &vm->run->s.regs.regs;
	struct stub_frame *f = stub_frame(&vm->stub, 0);
	struct cpu_state gprs;

	f->rip = c->rip;
	f->cs = STUB_USER_CS;
	f->rflags = (c->rflags & RFLAGS_USER) | RFLAGS_FIXED | RFLAGS_IF;
	f->rsp = c->gpr[GPR_RSP];
	f->ss = STUB_USER_SS;
	memcpy(gprs.gpr, c->gpr, sizeof(gprs.gpr));
	cpu_regs_gprs_to_kvm(&gprs, r);
	r->rflags = RFLAGS_FIXED;
	r->rsp = stub_iret_rsp(0);
	r->rip = stub_address(stub_leave);
	vm->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	if (c->begins)
		load_segments(vm);
	c->begins = false;
}

/*
 * SYSCALL arrives in the stub. On kvm_pvm it stays at CPL 3, and what arrives is the fetch there, which faults
 * (docs/hosts.md). An enclave that jumps there makes a call whose return address it chose itself.
 */
static bool is_call(const struct enclave_vm *vm, const struct stub_frame *f)
{
	const uint64_t arrival = stub_address(stub_syscall);

	return vm->run->io.port == STUB_PORT_SYSCALL ||
	       (f->vector == VEC_PF && f->rip == arrival && vm->run->s.regs.sregs.cr2 == arrival);
}

/* The way out: what the stub has, and the CPU left for it. */
static struct enclave_vm_stop store(struct enclave_vm *vm, struct enclave_context *c)
{
	const struct kvm_regs *r = &vm->run->s.regs.regs;
	const struct stub_frame *f = stub_frame(&vm->stub, 0);
	struct cpu_state gprs;

	cpu_regs_gprs_from_kvm(&gprs, r);
	memcpy(c->gpr, gprs.gpr, sizeof(gprs.gpr));
	c->in_vcpu = false;
	if (vm->run->io.port == STUB_PORT_TRAP)
		c->gpr[GPR_RSP] = f->rsp;
	if (is_call(vm, f)) { /* SYSCALL leaves RSP alone: APM3, SYSCALL */
		c->rip = c->gpr[GPR_RCX];
		c->rflags = c->gpr[GPR_R11];
		return (struct enclave_vm_stop){.why = ENCLAVE_STOP_CALL};
	}
	c->rip = f->rip;
	c->rflags = f->rflags;
	return (struct enclave_vm_stop){
	    .why = ENCLAVE_STOP_FAULT,
	    .vector = f->vector,
	    .address = f->vector == VEC_PF ? vm->run->s.regs.sregs.cr2 : 0,
	};
}

struct enclave_vm_stop enclave_vm_run(struct enclave_vm *vm, struct enclave_context *c)
{
	int r, error;

	if (!c->in_vcpu)
		load(vm, c);
	r = ioctl(vm->vcpu_fd, KVM_RUN, 0);
	error = r < 0 ? errno : 0;
	if (is_refused_for_ever(vm, error))
		return (struct enclave_vm_stop){.why = ENCLAVE_STOP_FAILED};
	if (error == EINTR || error == EAGAIN) {
		__atomic_store_n(&vm->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		c->in_vcpu = true;
		return (struct enclave_vm_stop){.why = ENCLAVE_STOP_KICK};
	}
	if (r == 0 && vm->run->exit_reason == KVM_EXIT_IO && vm->run->io.direction == KVM_EXIT_IO_OUT)
		return store(vm, c);
	if (r < 0)
		(void)log_errno(error, "KVM_RUN of an enclave");
	else
		log_error("KVM cannot go on with an enclave (exit reason %u)", vm->run->exit_reason);
	return (struct enclave_vm_stop){.why = ENCLAVE_STOP_FAILED};
}

void enclave_vm_kick(struct enclave_vm *vm)
{
	__atomic_store_n(&vm->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}
