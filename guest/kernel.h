/* SPDX-License-Identifier: MIT */
/*
 * The kernel's parts and what each offers the others.
 *
 * One lock (lock.h) covers the whole kernel. Every way in takes it, every way out releases it, and no function here
 * takes another. The kernel never sleeps in the middle of something: a system call either finishes or leaves its
 * process waiting. Each CPU therefore needs one stack, which is empty whenever a program runs. One thing happens in the
 * middle of a system call, without the lock: an enclave runs (enclave.c).
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include <gnomon/addr.h>
#include <gnomon/x86.h>
#include <stdnoreturn.h>

#include "fdt.h"
#include "layout.h"
#include "mem.h"
#include "syscall.h"

typedef uint64_t pte_t;

/* As entry.S and the CPU push it. */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct frame) == FRAME_BYTES && __builtin_offsetof(struct frame, rip) == FRAME_RIP &&
                   __builtin_offsetof(struct frame, cs) == FRAME_CS,
               "layout.h");

enum proc_state { PROC_FREE, PROC_RUNNABLE, PROC_WAITING, PROC_DEVICE, PROC_ZOMBIE };

struct proc {
	struct frame frame;    /* TSS.rsp0 points to its end */
	uint64_t kernel_stack; /* of its CPU; entry.S expects it here */
	enum proc_state state;
	int cpu;    /* for life */
	int status; /* of a zombie */
	struct proc *parent;
	gpa_t pml4;
	uint64_t mmap_next; /* where private memory goes on */
	uint64_t catch_rip; /* SYS_CATCH: where the next exception goes, or 0 */
	uint64_t catch_rsp;
	gpa_t offered;          /* the table of a subtree that others may link, or 0 */
	uint64_t offered_level; /* of the entries that link it */
} __attribute__((aligned(16)));

/* APM2 12.2.5 */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == TSS_BYTES, "layout.h");

#define DF_STACK_BYTES 2048

/* At CPU_AREA(id). The CPU's stack lies in the same CPU_BYTES, behind a guard page. */
struct cpu {
	struct tss tss; /* first: the GDT points here */
	int id;
	struct proc *current;  /* NULL: idle */
	bool in_lock_wait;     /* asleep there: a wake-up only means "try again" */
	gpa_t pml4;            /* in CR3 */
	uint32_t access_fault; /* TOUCH_RESULT of the last fault inside access.S */
	uint8_t df_stack[DF_STACK_BYTES] __attribute__((aligned(16)));
};
_Static_assert(sizeof(struct cpu) <= PAGE_BYTES, "layout.h");

/* The CPU that executes this, found by its stack. */
static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)((uint64_t)__builtin_frame_address(0) & ~(uint64_t)(CPU_BYTES - 1));
}

static inline uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline void write_cr3(gpa_t pml4)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(gpa_raw(pml4)) : "memory");
}

static inline void invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Both aligned. One string instruction: where KVM emulates the kernel, a loop would take many times as long. */
static inline void copy_page(void *to, const void *from)
{
	uint64_t words = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

/* The first entry from index `i` on that is not zero, or 512. */
static inline int next_entry(const pte_t *table, int i)
{
	uint64_t left = 512 - i;
	const pte_t *e = table + i;
	bool found;

	if (!left)
		return 512;
	__asm__ volatile("repe scasq" : "=@ccne"(found), "+D"(e), "+c"(left) : "a"(0) : "memory");
	return found ? 511 - (int)left : 512;
}

static inline void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "d"(port) : "memory");
}

static inline gpa_t kernel_gpa(const void *p)
{
	return gpa_init((uint64_t)p - GNOMON_BOOT_VIRT);
}

static inline bool user_range(uint64_t va, uint64_t len)
{
	return va < USER_END && len <= USER_END - va;
}

/* device_tree.c */
extern const struct fdt *device_tree; /* where the loader left it; read-only */
int cpu_count(void);
/* Pairs of a base and a length in bytes, both big-endian: `ret_nr` pairs. */
const uint64_t *memory_ranges(uint32_t *ret_nr);

/* alloc.c: frames. All are zero. gpa 0: there is none left. */
gpa_t page_alloc(void);
gpa_t page_take(void); /* without help from the balloon */
gpa_t page_alloc_run(uint64_t pages);
gpa_t huge_alloc(void);
void page_free(gpa_t page);
void huge_free(gpa_t page);
/* For the balloon: takes free frames as they are, and gives them back, zero or not. */
bool frames_take(uint32_t most, struct run *ret_run);
void frames_give(struct run run, bool zero);
/*
 * For reports of freed 2 MiB frames: takes one out, gives frames back that the host knows of, or gives one back that
 * was not reported.
 */
gpa_t huge_untold(void);
void huges_told(struct run run);
void huge_put_back(gpa_t frame);
bool huges_room(uint64_t runs);
/* In 4 KiB pages. Freed and unused 2 MiB frames count. */
uint64_t page_count_free(void);

/* Stacks of runs of frames */
struct runs {
	gpa_t top;
	uint64_t pages; /* in all of them */
};
bool runs_room(struct runs *s, uint64_t n);
void runs_push(struct runs *s, struct run run);
struct run runs_pop(struct runs *s, uint32_t most);

/* window.c */
void *window(gpa_t frame);
void *window_large(gpa_t frame);
void window_large_close(void);

/* pt.c: page tables of the address space in CR3, through its self-map */
#define PT_LINK (PTE_P | PTE_W | PTE_U) /* rights are decided at the leaf */
pte_t *pt_entry(uint64_t va, int level);
pte_t *pt_walk(uint64_t va, int level);
/* The leaf entry for `va`, and its size or that of what has no table. NULL: there is no table. */
pte_t *pt_leaf(uint64_t va, uint64_t *ret_size);
gpa_t table_alloc(void); /* zero, and counted among the tables */
void table_free(gpa_t table);
uint64_t pt_count_tables(void);
gpa_t pt_new_space(void);

/* space.c */
pte_t *pt_make(uint64_t va, int level);
int pt_map(uint64_t va, gpa_t frame, uint64_t pages, uint64_t flags);
int pt_map_page(uint64_t va, uint64_t flags); /* a new one; -ENOMEM */
int pt_user_init(void);
void pt_free_space(void);
/* Frees a table whose entries have `level` and that no address space links, and everything below that nobody else has. */
void pt_free_unlinked(gpa_t table, int level);

/* subtree.c: tables that address spaces share */
#define PTE_COW (1 << 11) /* a program may write the page, but it may have others: the first write copies it */
/*
 * Makes the tables on the path down to the entry of `level` for `va` this address space's own, so that the entry can be
 * written. Missing tables stay missing. 0, or -ENOMEM: nothing has changed.
 */
int pt_own(uint64_t va, int level);
/* A new PML4 that shares everything private with the one in CR3. gpa 0: out of memory. */
gpa_t pt_share_space(void);
/* Makes all tables of the address space in CR3 its own. -ENOMEM: some of them. */
int pt_own_all(void);
uint64_t pt_count_copied(void); /* tables, since boot */

/* cow.c: pages that address spaces share */
/*
 * The leaf entry for `va` and its size, in an address space's own table and with a page of its own, as after a write by
 * the program. NULL: the program may not write there (then *ret_r is -EFAULT), or -ENOMEM.
 */
pte_t *cow_write(uint64_t va, uint64_t *ret_size, int *ret_r);
bool cow_fault(uint64_t va);     /* False: a program's write there faults for another reason */
uint64_t cow_count_copied(void); /* pages, since boot; a large one is 512 */

/* offer.c: subtrees that processes link without a fork */
/*
 * Offers what the entry of `level` (2 or 3) for `va` links, one subtree at a time. 0, -EINVAL: it links no table,
 * -EBUSY: there is an offer, -ENOMEM.
 */
int64_t offer_make(struct proc *p, uint64_t va, uint64_t level);
/* Links what `from` offers, behind all that `p` has mapped. The address, -EINVAL: no offer, or no room, -ENOMEM. */
int64_t offer_take(struct proc *p, const struct proc *from);
/* Takes the offer of `p` back, if there is one. Those who have linked it keep it. */
void offer_end(struct proc *p);

/* mmap.c: memory of programs */
#define PTE_LAZY (1 << 9) /* not present: the first touch brings a page */
int64_t mmap_map(struct proc *p, uint64_t len, uint64_t flags);
int64_t mmap_unmap(uint64_t va, uint64_t len);
int64_t mmap_protect(uint64_t va, uint64_t len, uint64_t prot);
bool mmap_fault(uint64_t va, uint64_t error);
/* Whether the range is private and has never been mapped, or no longer is. */
bool mmap_unused(uint64_t va, uint64_t len);
/* The entry of a private 4 KiB page that the program may write, and that nobody shares from now on. NULL: none there. */
pte_t *mmap_page(uint64_t va);

/* enclave.c */
#define PTE_ENCLAVE (1 << 10) /* an enclave's: nobody else frees the frame or changes the entry */
int64_t enclave_request(struct proc *p);
/* Whether `p` has one. Then nobody else may have its tables. */
bool enclave_has(const struct proc *p);
/* Destroys those of `p`, which ends. Before its address space is freed. */
void enclave_exit(const struct proc *p);

/* proc.c */
extern struct proc procs[NR_PROCS]; /* the first one's end is the machine's */
uint64_t proc_first(gpa_t fdt);
void proc_next(const struct proc *p);
struct frame *proc_schedule(void);
int64_t proc_spawn(struct proc *parent, uint64_t args, int64_t cpu);
int64_t proc_fork(struct proc *parent, int64_t cpu, uint64_t how);
int64_t proc_wait(struct proc *p);
void proc_exit(struct proc *p, int status);

/* syscall.c */
void syscall(struct proc *p);

/* smp.c */
void cpu_wake(int id);
void cpu_interrupt(int id);
#define VECTOR_WAKE 32 /* those above are devices' */

/* trap.c, and the entries that assembly calls */
struct frame *cpu_main(struct cpu *cpu);
struct frame *trap_user(struct frame *f);
struct frame *trap_kernel(struct frame *f);

/* console.c */
void console_text(const char *text);
void console_hex(uint64_t v);
void console_decimal(uint64_t v);
noreturn void machine_exit(int status);
noreturn void panic(const char *why, const struct frame *f);

/* crash.c */
int64_t crash(uint64_t how);

/* access.S, tables.S */
int64_t access_out(uint64_t buf, uint64_t len);
int64_t access_string(char *to, uint64_t from, uint64_t size);
int64_t access_read(uint64_t va);
int64_t access_write(uint64_t va);
int64_t access_fetch(uint64_t va);
extern const char access_begin[], access_end[], access_failed[];
extern pte_t boot_pml4[512], kernel_pd[512], kernel_pt[512], first_pt[512];
extern const char empty_idt_pointer[];

#endif
