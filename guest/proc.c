/* SPDX-License-Identifier: MIT */
/*
 * A process has an address space, a frame of registers, and one CPU for life. It runs until it yields, waits or ends.
 * Then the next in the table's order runs. Only the balloon's server can take the CPU away from another process.
 */
#include "device.h"
#include "kernel.h"
#include "lock.h"

/* The first process has the boot address space (tables.S). Only its arguments are missing. */
struct proc procs[NR_PROCS] = {{
    .frame = {.rip = USER_PAGE(UTEXT_AT),
              .cs = USER_CS,
              .rflags = RFLAGS_FIXED | RFLAGS_IF,
              .rsp = USTACK_TOP,
              .ss = USER_DS},
    .kernel_stack = CPU_STACK_TOP(0),
    .state = PROC_RUNNABLE,
    .pml4 = {BOOT_PML4_PHYS},
    .mmap_next = MMAP_BASE,
}};

/* The boot CPU's area is complete at link time. kernel.ld puts it at CPU_AREA(0). */
static struct cpu boot_cpu __attribute__((section(".cpu0"), used)) = {
    .tss = {.rsp = {(uint64_t)&procs[0].kernel_stack},
            .ist = {CPU_AREA(0) + __builtin_offsetof(struct cpu, df_stack) + DF_STACK_BYTES},
            .iomap_base = TSS_BYTES},
    .current = &procs[0],
    .pml4 = {BOOT_PML4_PHYS},
};

/*
 * Maps the device tree where another process has its arguments: the first process finds its own in there (fdt.h says
 * why). Maps as much as fits, and the loader's trees do. Returns the tree's address.
 */
uint64_t proc_first(gpa_t fdt)
{
	uint64_t page = gpa_raw(fdt) & PAGE_MASK, end;
	pte_t *e = &first_pt[UARGS_AT];

	device_tree = (const struct fdt *)(GNOMON_BOOT_VIRT + gpa_raw(fdt));
	end = gpa_raw(fdt) + fdt_u32(device_tree->totalsize);
	do {
		*e++ = page | PTE_P | PTE_U | PTE_NX;
		page += PAGE_SIZE;
	} while (page < end && e < &first_pt[UARGS_AT + UARGS_PAGES]);
	return USER_PAGE(UARGS_AT) + page_offset(gpa_raw(fdt));
}

static void load_space(struct cpu *cpu, gpa_t pml4)
{
	if (gpa_raw(cpu->pml4) != gpa_raw(pml4)) {
		cpu->pml4 = pml4;
		write_cr3(pml4);
	}
}

static int slot_of(const struct proc *p)
{
	return p - procs;
}

static int last[NR_CPUS]; /* slot of the process that a CPU turned to last */
static int nr_used = 1;   /* slots that were ever used: all others are free */

/* Has `p`, which is runnable, run next on this CPU. */
void proc_next(const struct proc *p)
{
	last[p->cpu] = slot_of(p) - 1;
	this_cpu()->current = NULL;
}

/* Waits for an interrupt on an empty stack. What comes next starts from trap_kernel(). */
static noreturn void idle(const struct cpu *cpu)
{
	__asm__ volatile("mov %0, %%rsp\n"
	                 "	xor %%ebp, %%ebp\n"
	                 "1:	sti\n"
	                 "	hlt\n"
	                 "	jmp 1b"
	                 :
	                 : "r"(CPU_STACK_TOP((uint64_t)cpu->id)));
	__builtin_unreachable();
}

/* The frame of the next process of this CPU. If there is none, unlocks the kernel, idles and does not return. */
struct frame *proc_schedule(void)
{
	struct cpu *cpu = this_cpu();

	for (int i = 0, slot = last[cpu->id]; i < nr_used; i++) {
		struct proc *p;

		slot = slot + 1 < nr_used ? slot + 1 : 0;
		p = &procs[slot];
		if (p->state != PROC_RUNNABLE || p->cpu != cpu->id)
			continue;
		last[cpu->id] = slot;
		cpu->current = p;
		cpu->tss.rsp[0] = (uint64_t)(&p->frame + 1);
		load_space(cpu, p->pml4);
		return &p->frame;
	}
	cpu->current = NULL;
	kernel_unlock();
	idle(cpu);
}

static struct proc *free_slot(void)
{
	for (struct proc *p = procs; p < procs + nr_used; p++)
		if (p->state == PROC_FREE)
			return p;
	return nr_used < NR_PROCS ? &procs[nr_used++] : NULL;
}

/* A new page with a copy of the arguments at user address `args`. gpa 0: `ret_error` says why. */
static gpa_t copy_args(uint64_t args, int64_t *ret_error)
{
	gpa_t page = page_alloc();
	int64_t len;

	*ret_error = -ENOMEM;
	if (!gpa_raw(page))
		return page;
	len = user_range(args, PAGE_SIZE) ? access_string(window(page), args, PAGE_SIZE) : -EFAULT;
	if (len >= 0 && len < (int64_t)PAGE_SIZE)
		return page;
	*ret_error = len < 0 ? len : -EINVAL;
	page_free(page);
	return gpa_init(0);
}

/* Fills the address space p->pml4 from inside and returns to the caller's. */
static int fill_space(struct proc *p, gpa_t args)
{
	struct cpu *cpu = this_cpu();
	gpa_t back = cpu->pml4;
	int r;

	load_space(cpu, p->pml4);
	r = pt_map(USER_PAGE(UARGS_AT), args, 1, PTE_P | PTE_U | PTE_NX);
	if (r < 0)
		page_free(args);
	else
		r = pt_user_init();
	if (r < 0)
		pt_free_space();
	load_space(cpu, back);
	return r;
}

/* Starts a process on `cpu` (or SPAWN_HERE) with the words at user address `args`. Its number, or -errno. */
int64_t proc_spawn(struct proc *parent, uint64_t args, int64_t cpu)
{
	struct proc *p = free_slot();
	int64_t error;
	gpa_t page;

	if (cpu == SPAWN_HERE)
		cpu = parent->cpu;
	if (cpu < 0 || cpu >= cpu_count())
		return -EINVAL;
	if (!p)
		return -EAGAIN;
	page = copy_args(args, &error);
	if (!gpa_raw(page))
		return error;
	memset(p, 0, sizeof(*p));
	p->pml4 = pt_new_space();
	if (!gpa_raw(p->pml4)) {
		page_free(page);
		return -ENOMEM;
	}
	if (fill_space(p, page) < 0) {
		table_free(p->pml4);
		return -ENOMEM;
	}
	p->cpu = cpu;
	p->parent = parent;
	p->kernel_stack = CPU_STACK_TOP(cpu);
	p->mmap_next = MMAP_BASE;
	p->frame.rdi = USER_PAGE(UARGS_AT);
	p->frame.rip = USER_PAGE(UTEXT_AT);
	p->frame.cs = USER_CS;
	p->frame.rflags = RFLAGS_FIXED | RFLAGS_IF;
	p->frame.rsp = USTACK_TOP;
	p->frame.ss = USER_DS;
	p->state = PROC_RUNNABLE;
	cpu_wake(cpu);
	return slot_of(p);
}

/* Copies all tables of the new address space, from inside. On failure frees it. */
static int copy_tables(gpa_t space)
{
	struct cpu *cpu = this_cpu();
	const gpa_t back = cpu->pml4;
	int r;

	load_space(cpu, space);
	r = pt_own_all();
	if (r < 0)
		pt_free_space();
	load_space(cpu, back);
	if (r < 0)
		table_free(space);
	return r;
}

/* Starts a copy of `parent` on `cpu` (or SPAWN_HERE). Its number, or -errno. */
int64_t proc_fork(struct proc *parent, int64_t cpu, uint64_t how)
{
	struct proc *p;
	gpa_t space;

	if (cpu == SPAWN_HERE)
		cpu = parent->cpu;
	if (cpu < 0 || cpu >= cpu_count() || how > FORK_COPY)
		return -EINVAL;
	p = free_slot();
	if (!p)
		return -EAGAIN;
	space = pt_share_space();
	if (!gpa_raw(space) || (how == FORK_COPY && copy_tables(space) < 0))
		return -ENOMEM;
	*p = *parent;
	p->offered = gpa_init(0);
	p->pml4 = space;
	p->cpu = cpu;
	p->parent = parent;
	p->kernel_stack = CPU_STACK_TOP(cpu);
	p->frame.rax = 0;
	cpu_wake(cpu);
	return slot_of(p);
}

/* Forgets a child that has ended: its number << 8 | status. 0: none has ended yet. -ECHILD: there is none. */
static int64_t reap(struct proc *parent)
{
	int64_t result = -ECHILD;

	for (struct proc *p = procs; p < procs + nr_used; p++) {
		if (p->state == PROC_FREE || p->parent != parent)
			continue;
		if (p->state == PROC_ZOMBIE) {
			p->state = PROC_FREE;
			return (int64_t)slot_of(p) << 8 | p->status;
		}
		result = 0;
	}
	return result;
}

int64_t proc_wait(struct proc *p)
{
	int64_t result = reap(p);

	if (result == 0)
		p->state = PROC_WAITING; /* proc_exit of a child puts the result into its frame */
	return result;
}

/* Ends `p`, which runs on this CPU. The end of the first process is the end of the machine. */
void proc_exit(struct proc *p, int status)
{
	if (p == procs)
		machine_exit(status);
	enclave_exit(p);
	offer_end(p);
	pt_free_space();
	load_space(this_cpu(), gpa_init(BOOT_PML4_PHYS));
	table_free(p->pml4);
	device_freed();
	p->state = PROC_ZOMBIE;
	p->status = status;
	for (struct proc *child = procs; child < procs + nr_used; child++)
		if (child->parent == p)
			child->parent = procs;
	if (p->parent->state == PROC_WAITING) {
		p->parent->frame.rax = reap(p->parent);
		p->parent->state = PROC_RUNNABLE;
		cpu_wake(p->parent->cpu);
	}
}
