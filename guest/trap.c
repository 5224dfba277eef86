/* SPDX-License-Identifier: MIT */
/* What each way into the kernel does: another CPU's start, exceptions, system calls, interrupts. */
#include "device.h"
#include "kernel.h"
#include "lock.h"

struct frame *cpu_main(struct cpu *cpu)
{
	struct frame *f;

	kernel_lock();
	f = proc_schedule();
	kernel_unlock();
	return f;
}

/* A program's mistake. If the program asked for it (SYS_CATCH) it gets the exception, once. Else it ends. */
static void fault(struct proc *p, uint64_t cr2)
{
	struct frame *f = &p->frame;

	if (p->catch_rip) {
		f->rax = f->vector;
		f->rdi = f->error;
		f->rsi = cr2;
		f->rdx = f->rip;
		f->rip = p->catch_rip;
		f->rsp = p->catch_rsp;
		f->rflags = RFLAGS_FIXED | RFLAGS_IF;
		p->catch_rip = 0;
		return;
	}
	console_text("guest: program killed: exception ");
	console_decimal(f->vector);
	console_text(" error ");
	console_hex(f->error);
	console_text(" at ");
	console_hex(f->rip);
	if (f->vector == VEC_PF) {
		console_text(" address ");
		console_hex(cr2);
	}
	console_text("\n");
	proc_exit(p, STATUS_FAULT(f->vector));
}

struct frame *trap_user(struct frame *f)
{
	struct proc *p = (struct proc *)f;
	uint64_t cr2 = f->vector == VEC_PF ? read_cr2() : 0;

	kernel_lock();
	if (f->vector == VEC_BP)
		syscall(p);
	else if (f->vector < 32 && !(f->vector == VEC_PF && mmap_fault(cr2, f->error)))
		fault(p, cr2);
	else if (f->vector > VECTOR_WAKE)
		device_interrupt();
	else if (f->vector == VECTOR_WAKE)
		device_preempt(); /* or the CPU has found its work meanwhile, and there is nothing to do */
	if (p->state != PROC_RUNNABLE || this_cpu()->current != p)
		f = proc_schedule();
	kernel_unlock();
	return f;
}

static bool in_access(uint64_t rip)
{
	return rip >= (uint64_t)access_begin && rip < (uint64_t)access_end;
}

/*
 * A fault in access.S: mends what the program's own access would, or makes its function return -EFAULT. False: the fault
 * is somewhere else.
 */
static bool access_fault(struct frame *f)
{
	uint64_t cr2;

	if (f->vector != VEC_PF && f->vector != VEC_GP)
		return false;
	cr2 = f->vector == VEC_PF ? read_cr2() : 0;
	/* The kernel writes in the program's place. access_write has no other page in the window. */
	if (f->vector == VEC_PF && (f->error & (PFEC_P | PFEC_W)) == (PFEC_P | PFEC_W) && in_access(f->rip) &&
	    cow_fault(cr2))
		return true;
	/* access_fetch: the call went through and its target faulted. The caller is on the stack. */
	if (f->vector == VEC_PF && f->rip == cr2 && in_access(*(const uint64_t *)f->rsp))
		f->rsp += 8;
	else if (!in_access(f->rip))
		return false;
	this_cpu()->access_fault = TOUCH_RESULT(f->vector, f->error);
	f->rip = (uint64_t)access_failed;
	f->rax = -EFAULT;
	return true;
}

struct frame *trap_kernel(struct frame *f)
{
	if (f->vector >= 32) {
		if (this_cpu()->in_lock_wait) {
			device_waits |= f->vector > VECTOR_WAKE; /* devices interrupt CPU 0 alone */
			/* Where a host forgets what STI holds up (docs/hosts.md), HLT would sleep over this one. */
			f->rip = (uint64_t)lock_awake;
			return f;
		}
		/* Else the CPU was idle: nothing else has interrupts on. It looks for work, from a fresh stack. */
		kernel_lock();
		if (f->vector > VECTOR_WAKE)
			device_interrupt();
		f = proc_schedule();
		kernel_unlock();
		return f;
	}
	if (!access_fault(f))
		panic("exception in the kernel", f);
	return f;
}
