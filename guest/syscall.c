/* SPDX-License-Identifier: MIT */
/* System calls (syscall.h). Each gets its process, has its arguments in RDI, RSI and RDX, and returns RAX. */
#include "balloon.h"
#include "count.h"
#include "kernel.h"

static int64_t sys_exit(struct proc *p)
{
	proc_exit(p, p->frame.rdi & 0xff);
	return 0;
}

static int64_t sys_write(struct proc *p)
{
	if (!user_range(p->frame.rdi, p->frame.rsi))
		return -EFAULT;
	return access_out(p->frame.rdi, p->frame.rsi);
}

static int64_t sys_mmap(struct proc *p)
{
	return mmap_map(p, p->frame.rdi, p->frame.rsi);
}

static int64_t sys_munmap(struct proc *p)
{
	return mmap_unmap(p->frame.rdi, p->frame.rsi);
}

static int64_t sys_mprotect(struct proc *p)
{
	return mmap_protect(p->frame.rdi, p->frame.rsi, p->frame.rdx);
}

static int64_t sys_spawn(struct proc *p)
{
	return proc_spawn(p, p->frame.rdi, p->frame.rsi);
}

static int64_t sys_wait(struct proc *p)
{
	return proc_wait(p);
}

static int64_t sys_yield(struct proc *p)
{
	this_cpu()->current = NULL;
	return 0;
}

static int64_t sys_cpus(struct proc *p)
{
	return cpu_count();
}

static int64_t sys_cpu(struct proc *p)
{
	return p->cpu;
}

static int64_t sys_catch(struct proc *p)
{
	p->catch_rip = p->frame.rdi;
	p->catch_rsp = p->frame.rsi;
	return 0;
}

/* The page-table entry of level RSI (1-4) for any address, as the self-map shows it. 0: there is no table. */
static int64_t sys_pte(struct proc *p)
{
	uint64_t level = p->frame.rsi;
	pte_t *e;

	if (level < 1 || level > 4)
		return -EINVAL;
	e = pt_walk(p->frame.rdi, level);
	return e ? (int64_t)*e : 0;
}

/* The kernel itself reads, zeroes or runs the byte at RDI. 0, or TOUCH_RESULT of the fault. */
static int64_t sys_touch(struct proc *p)
{
	static int64_t (*const access[])(uint64_t va) = {
	    [TOUCH_READ] = access_read, [TOUCH_WRITE] = access_write, [TOUCH_FETCH] = access_fetch};
	uint64_t how = p->frame.rsi;

	if (how > TOUCH_FETCH)
		return -EINVAL;
	return access[how](p->frame.rdi) == 0 ? 0 : this_cpu()->access_fault;
}

static int64_t sys_crash(struct proc *p)
{
	return crash(p->frame.rdi);
}

static int64_t sys_free(struct proc *p)
{
	return page_count_free();
}

static int64_t sys_balloon(struct proc *p)
{
	switch (p->frame.rdi) {
	case BALLOON_START:
		return balloon_start(p);
	case BALLOON_SERVE:
		return balloon_serve(p);
	default:
		return -EINVAL;
	}
}

/*
 * The VMM answers the struct gnomon_walks at RDI (include/gnomon/abi.h). It writes to the program's own memory, which
 * must be one 4 KiB page that the program may write.
 */
static int64_t sys_walks(struct proc *p)
{
	struct gnomon_walks *const w = (struct gnomon_walks *)p->frame.rdi;
	uint64_t size;
	pte_t *e;
	int r;

	if ((uint64_t)w % 64 || !user_range((uint64_t)w, sizeof(*w)))
		return -EFAULT;
	e = cow_write((uint64_t)w, &size, &r);
	if (!e)
		return r;
	if (size != PAGE_SIZE || (*e & PTE_ADDR) >> 32)
		return -EFAULT;
	out32(GNOMON_PORT_WALKS, (*e & PTE_ADDR) | (uint64_t)w % PAGE_SIZE);
	return 0;
}

static int64_t sys_enclave(struct proc *p)
{
	return enclave_request(p);
}

static int64_t sys_fork(struct proc *p)
{
	/* Others than the process itself know pages of theirs by their frames. */
	if (enclave_has(p) || balloon_is_server(p))
		return -EBUSY;
	return proc_fork(p, p->frame.rdi, p->frame.rsi);
}

static int64_t sys_offer(struct proc *p)
{
	if (p->frame.rsi == OFFER_END) {
		offer_end(p);
		return 0;
	}
	return enclave_has(p) ? -EBUSY : offer_make(p, p->frame.rdi, p->frame.rsi);
}

static int64_t sys_take(struct proc *p)
{
	if ((int64_t)p->frame.rdi == OFFER_OF_PARENT)
		return offer_take(p, p->parent);
	return p->frame.rdi < NR_PROCS ? offer_take(p, &procs[p->frame.rdi]) : -EINVAL;
}

static int64_t sys_count(struct proc *p)
{
	switch (p->frame.rdi) {
	case COUNT_TABLES:
		return pt_count_tables();
	case COUNT_NOTES:
		return count_notes();
	case COUNT_TABLES_COPIED:
		return pt_count_copied();
	case COUNT_PAGES_COPIED:
		return cow_count_copied();
	default:
		return -EINVAL;
	}
}

static int64_t (*const table[])(struct proc *p) = {
    [SYS_EXIT] = sys_exit,         [SYS_WRITE] = sys_write,     [SYS_MMAP] = sys_mmap,   [SYS_MUNMAP] = sys_munmap,
    [SYS_MPROTECT] = sys_mprotect, [SYS_SPAWN] = sys_spawn,     [SYS_WAIT] = sys_wait,   [SYS_YIELD] = sys_yield,
    [SYS_CPUS] = sys_cpus,         [SYS_CPU] = sys_cpu,         [SYS_CATCH] = sys_catch, [SYS_PTE] = sys_pte,
    [SYS_TOUCH] = sys_touch,       [SYS_CRASH] = sys_crash,     [SYS_FREE] = sys_free,   [SYS_BALLOON] = sys_balloon,
    [SYS_WALKS] = sys_walks,       [SYS_ENCLAVE] = sys_enclave, [SYS_FORK] = sys_fork,   [SYS_COUNT] = sys_count,
    [SYS_OFFER] = sys_offer,       [SYS_TAKE] = sys_take,
};

void syscall(struct proc *p)
{
	uint64_t number = p->frame.rax;

	p->frame.rax = number < sizeof(table) / sizeof(*table) ? (uint64_t)table[number](p) : (uint64_t)-ENOSYS;
}
