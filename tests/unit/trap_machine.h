/* SPDX-License-Identifier: MIT */
/*
 * A machine for the emulator's tests: one arena of memory whose linear addresses are the test process' own, so
 * that the same bytes can be run by the real CPU; a log of accesses; and a fault at any one of them.
 */
#ifndef TRAP_MACHINE_H
#define TRAP_MACHINE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/emulate.h"
#include "cpu/inject.h"
#include "cpu/zydis.h"

#define ARENA_BASE  0x10000000ull
#define ARENA_PAGES 8
#define ARENA_SIZE  (ARENA_PAGES * PAGE_SIZE)

/* The arena's pages by use. */
#define CODE_PAGE  ARENA_BASE
#define GDT_PAGE   (ARENA_BASE + PAGE_SIZE)
#define IDT_PAGE   (ARENA_BASE + 2 * PAGE_SIZE)
#define TSS_PAGE   (ARENA_BASE + 3 * PAGE_SIZE)
#define DATA_PAGE  (ARENA_BASE + 4 * PAGE_SIZE) /* and the next */
#define STACK_PAGE (ARENA_BASE + 6 * PAGE_SIZE)
#define STACK_TOP  (STACK_PAGE + PAGE_SIZE)

#define MACHINE_TSC    0x1122334455667788ull
#define CANONICAL_HOLE 0x0000800000000000ull
#define OUTSIDE_MEMORY 0x30000000ull /* translated, but nothing there */

/* GDT of the machine. */
#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS   0x1b
#define USER_DS   0x23
#define TSS_SEL   0x28 /* 16 bytes */
#define CODE32    0x38
#define ABSENT_CS 0x40
#define ABSENT_DS 0x48
#define LDT_SEL   0x50 /* 16 bytes */
#define RO_DS     0x60
#define GDT_LIMIT 0x67

#define DESC_KERNEL_CS 0x00af9b000000ffffull
#define DESC_KERNEL_DS 0x00cf93000000ffffull
#define DESC_USER_CS   0x00affb000000ffffull
#define DESC_USER_DS   0x00cff3000000ffffull
#define DESC_CODE32    0x00cf9b000000ffffull
#define DESC_P         (1ull << 47)

struct machine {
	struct cpu_state cpu;
	struct cpu_ops ops;
	unsigned reads, writes, cmpxchgs; /* data, not fetches */
	unsigned last_size, last_access;
	int fail_at;    /* the n-th access, fetches included, faults; -1: none */
	int accesses;
	unsigned in_calls, out_calls;
	uint32_t port_value, port_size, port;
	uint64_t cr3_old, cr3_new, mmu_cr0, mmu_cr4, mmu_efer, invlpg_addr, faulted_addr;
	unsigned cr3_calls, mmu_calls, invlpg_calls, faulted_calls;
};

static inline int machine_access(struct machine *m, gva_t addr, unsigned size, unsigned access,
				 struct cpu_exception *exc)
{
	uint64_t a = gva_raw(addr);

	cr_assert(a + size <= CANONICAL_HOLE || a >= ~(CANONICAL_HOLE - 1), "a non-canonical address reached memory");
	m->last_size = size;
	m->last_access = access;
	if (a >= OUTSIDE_MEMORY && a < OUTSIDE_MEMORY + PAGE_SIZE)
		return -ENXIO;
	if (m->accesses++ != m->fail_at && a >= ARENA_BASE && a + size <= ARENA_BASE + ARENA_SIZE)
		return 0;
	*exc = (struct cpu_exception){
		.vector = VEC_PF,
		.has_error = true,
		.error = (access & ACCESS_WRITE ? PFEC_W : 0) | (access & ACCESS_USER ? PFEC_U : 0) |
			 (access & ACCESS_FETCH ? PFEC_I : 0),
		.cr2 = addr,
	};
	return -EFAULT;
}

static inline void *machine_at(gva_t addr) { return (void *)(uintptr_t)gva_raw(addr); }

static inline int machine_read(void *ctx, gva_t addr, void *buf, unsigned size, unsigned access,
			       struct cpu_exception *exc)
{
	struct machine *m = ctx;
	int err = machine_access(m, addr, size, access, exc);

	if (err)
		return err;
	m->reads += !(access & ACCESS_FETCH);
	memcpy(buf, machine_at(addr), size);
	return 0;
}

static inline int machine_write(void *ctx, gva_t addr, const void *buf, unsigned size, unsigned access,
				struct cpu_exception *exc)
{
	struct machine *m = ctx;
	int err = machine_access(m, addr, size, access, exc);

	if (err)
		return err;
	m->writes++;
	memcpy(machine_at(addr), buf, size);
	return 0;
}

static inline int machine_cmpxchg(void *ctx, gva_t addr, const void *expected, const void *desired, void *old,
				  unsigned size, unsigned access, struct cpu_exception *exc)
{
	struct machine *m = ctx;
	int err = machine_access(m, addr, size, access, exc);

	if (err)
		return err;
	m->cmpxchgs++;
	memcpy(old, machine_at(addr), size);
	if (memcmp(old, expected, size) == 0)
		memcpy(machine_at(addr), desired, size);
	return 0;
}

static inline int machine_in(void *ctx, uint16_t port, unsigned size, uint32_t *ret_value)
{
	struct machine *m = ctx;

	m->in_calls++;
	m->port = port;
	m->port_size = size;
	*ret_value = m->port_value;
	return 0;
}

static inline int machine_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	struct machine *m = ctx;

	m->out_calls++;
	m->port = port;
	m->port_size = size;
	m->port_value = value;
	return 0;
}

static inline int machine_tsc(void *ctx, uint64_t *ret_value)
{
	*ret_value = MACHINE_TSC;
	return 0;
}

static inline void machine_cr3_loaded(void *ctx, uint64_t old_cr3, uint64_t new_cr3)
{
	struct machine *m = ctx;

	m->cr3_calls++;
	m->cr3_old = old_cr3;
	m->cr3_new = new_cr3;
}

static inline void machine_mmu_changed(void *ctx, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct machine *m = ctx;

	m->mmu_calls++;
	m->mmu_cr0 = cr0;
	m->mmu_cr4 = cr4;
	m->mmu_efer = efer;
}

static inline void machine_faulted(void *ctx, gva_t addr)
{
	struct machine *m = ctx;

	m->faulted_calls++;
	m->faulted_addr = gva_raw(addr);
}

static inline void machine_invlpg(void *ctx, gva_t addr)
{
	struct machine *m = ctx;

	m->invlpg_calls++;
	m->invlpg_addr = gva_raw(addr);
}


/* A word anywhere: the TSS's fields are not aligned. */
typedef uint64_t __attribute__((aligned(1))) any_u64;

static inline any_u64 *machine_u64(uint64_t addr) { return machine_at(gva_init(addr)); }

static inline void machine_set_gate(uint8_t vector, uint64_t offset, uint16_t selector, uint8_t ist, uint8_t type_dpl_p)
{
	any_u64 *gate = machine_u64(IDT_PAGE + vector * 16u);

	gate[0] = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 | (uint64_t)type_dpl_p << 40 |
		  (offset >> 16 & 0xffff) << 48;
	gate[1] = offset >> 32;
}

static inline void machine_build_gdt(void)
{
	any_u64 *gdt = machine_u64(GDT_PAGE);

	memset(gdt, 0, GDT_LIMIT + 1);
	gdt[KERNEL_CS / 8] = DESC_KERNEL_CS;
	gdt[KERNEL_DS / 8] = DESC_KERNEL_DS;
	gdt[USER_CS / 8] = DESC_USER_CS;
	gdt[USER_DS / 8] = DESC_USER_DS;
	/* TSS at TSS_PAGE, limit 0x67, available, present; LDT at DATA_PAGE, limit 15. */
	gdt[TSS_SEL / 8] = 0x67 | (TSS_PAGE & 0xffffff) << 16 | 0x89ull << 40 | (TSS_PAGE >> 24 & 0xff) << 56;
	gdt[LDT_SEL / 8] = 0x0f | (DATA_PAGE & 0xffffff) << 16 | 0x82ull << 40 | (DATA_PAGE >> 24 & 0xff) << 56;
	gdt[CODE32 / 8] = DESC_CODE32;
	gdt[ABSENT_CS / 8] = DESC_KERNEL_CS & ~DESC_P;
	gdt[ABSENT_DS / 8] = DESC_KERNEL_DS & ~DESC_P;
	gdt[RO_DS / 8] = 0x00cf91000000ffffull;
}

static inline void machine_set_cpl(struct machine *m, uint8_t cpl)
{
	uint16_t dpl = (uint16_t)(cpl << SEG_DPL_SHIFT);

	m->cpu.cpl = cpl;
	m->cpu.seg[SEG_CS] = (struct cpu_segment){.selector = cpl ? USER_CS : KERNEL_CS,
						  .limit = UINT32_MAX,
						  .attributes = 0xa09b | dpl};
	m->cpu.seg[SEG_SS] = (struct cpu_segment){.selector = cpl ? USER_DS : KERNEL_DS,
						  .limit = UINT32_MAX,
						  .attributes = 0xc093 | dpl};
}

/* 64-bit mode at `cpl`, code at CODE_PAGE, handler n of the IDT at CODE_PAGE + 16 * n, RSP0 and IST1-2 set. */
static inline void machine_init(struct machine *m, uint8_t cpl)
{
	void *arena = machine_at(gva_init(ARENA_BASE));

	arena = mmap(arena, ARENA_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	cr_assert_neq(arena, MAP_FAILED);
	cr_assert_eq(zydis_load(), 0);
	memset(m, 0, sizeof(*m));
	m->fail_at = -1;
	m->cpu.rip = CODE_PAGE;
	m->cpu.rflags = RFLAGS_FIXED | RFLAGS_IF;
	m->cpu.gpr[GPR_RSP] = STACK_TOP;
	machine_set_cpl(m, cpl);
	m->cpu.seg[SEG_TR] = (struct cpu_segment){
		.base = TSS_PAGE, .limit = 0x67, .selector = TSS_SEL, .attributes = SEG_P | SEG_TYPE_TSS_BUSY};
	m->cpu.gdtr = (struct cpu_table){.base = GDT_PAGE, .limit = GDT_LIMIT};
	m->cpu.idtr = (struct cpu_table){.base = IDT_PAGE, .limit = 0xfff};
	m->cpu.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	m->cpu.cr4 = CR4_PAE;
	m->cpu.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	m->cpu.xcr0 = 1;
	m->ops = (struct cpu_ops){
	    .read = machine_read,
	    .write = machine_write,
	    .cmpxchg = machine_cmpxchg,
	    .port_in = machine_in,
	    .port_out = machine_out,
	    .tsc = machine_tsc,
	    .cr3_loaded = machine_cr3_loaded,
	    .mmu_changed = machine_mmu_changed,
	    .invlpg = machine_invlpg,
	    .faulted = machine_faulted,
	    .limits = {.cr4_bits = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXSAVE | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP |
	                           CR4_UMIP | CR4_PCIDE,
	               .efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
	               .xcr0_bits = 7,
	               .phys_bits = 40,
	               .tsc_aux = true,
	               .intel = true},
	};
	machine_build_gdt();
	for (unsigned v = 0; v < 256; v++)
		machine_set_gate((uint8_t)v, CODE_PAGE + 16 * v, KERNEL_CS, 0, 0x8e);
	*machine_u64(TSS_PAGE) = 0; /* the reserved word, then RSP0 at 4 and IST1, IST2 at 36 and 44 */
	*machine_u64(TSS_PAGE + 4) = STACK_PAGE + 0x800;
	*machine_u64(TSS_PAGE + 36) = STACK_PAGE + 0x408; /* not aligned */
	*machine_u64(TSS_PAGE + 44) = STACK_PAGE + 0x600;
	*machine_u64(TSS_PAGE + 0x66) = 0xffff; /* I/O map base beyond the limit */
}

/* Puts `bytes` at RIP and emulates. */
static inline enum emul_outcome machine_run(struct machine *m, const void *bytes, unsigned length,
					    struct emul_result *ret_result)
{
	memcpy(machine_at(gva_init(m->cpu.rip)), bytes, length);
	return emulate_insn(&m->cpu, &m->ops, m, ret_result);
}

/* machine_run() with the bytes as arguments. */
#define RUN(m, result, ...) machine_run(m, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), result)

#endif
