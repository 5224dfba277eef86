/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as code, registers and memory of a guest, through the decoder, the emulator and the delivery of what it
 * raises. Nothing may crash or hang; what reaches memory is canonical and of a legal size; and no instruction leads
 * to a state that 64-bit mode does not have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/emulate.h"
#include "cpu/inject.h"
#include "cpu/zydis.h"

#define MEMORY_SIZE PAGE_SIZE
#define STEPS       8
#define PHYS_BITS   40
#define CR4_LEGAL   (CR4_PAE | CR4_PGE | CR4_OSXSAVE | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP | CR4_UMIP)
#define EFER_LEGAL  (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/* Addresses with this bit fault, with the next one lead to no memory; all others are one page. */
#define FAULT_BIT   (1ull << 20)
#define NOWHERE_BIT (1ull << 21)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[MEMORY_SIZE + CPU_ACCESS_MAX];

static bool canonical(uint64_t a) { return (uint64_t)((int64_t)(a << 16) >> 16) == a; }

static void require(bool condition)
{
	if (!condition)
		abort();
}

static int access_memory(gva_t addr, unsigned size, unsigned access, struct cpu_exception *exc, uint8_t **ret_at)
{
	uint64_t a = gva_raw(addr);

	require(canonical(a) && canonical(a + size - 1) && size >= 1 && size <= CPU_ACCESS_MAX);
	if (a & NOWHERE_BIT)
		return -ENXIO;
	if (a & FAULT_BIT) {
		*exc = (struct cpu_exception){.vector = VEC_PF, .has_error = true, .error = access, .cr2 = addr};
		return -EFAULT;
	}
	*ret_at = memory + a % MEMORY_SIZE;
	return 0;
}

static int fuzz_read(void *ctx, gva_t addr, void *buf, unsigned size, unsigned access, struct cpu_exception *exc)
{
	uint8_t *at = NULL;
	int err = access_memory(addr, size, access, exc, &at);

	if (err == 0)
		memcpy(buf, at, size);
	return err;
}

static int fuzz_write(void *ctx, gva_t addr, const void *buf, unsigned size, unsigned access,
		      struct cpu_exception *exc)
{
	uint8_t *at = NULL;
	int err = access_memory(addr, size, access, exc, &at);

	require(access & ACCESS_WRITE);
	if (err == 0)
		memcpy(at, buf, size);
	return err;
}

static int fuzz_cmpxchg(void *ctx, gva_t addr, const void *expected, const void *desired, void *old, unsigned size,
			unsigned access, struct cpu_exception *exc)
{
	uint8_t *at = NULL;
	int err = access_memory(addr, size, access, exc, &at);

	require(access & ACCESS_WRITE && size <= 16 && (size & (size - 1)) == 0);
	if (err)
		return err;
	memcpy(old, at, size);
	if (memcmp(at, expected, size) == 0)
		memcpy(at, desired, size);
	return 0;
}

static int fuzz_in(void *ctx, uint16_t port, unsigned size, uint32_t *ret_value)
{
	require(size == 1 || size == 2 || size == 4);
	*ret_value = port;
	return 0;
}

static int fuzz_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	require(size == 1 || size == 2 || size == 4);
	return port == 0xf4 ? -ECANCELED : 0;
}

static void ignore_cr3(void *ctx, uint64_t old_cr3, uint64_t new_cr3) { require(new_cr3 >> PHYS_BITS == 0); }

static void ignore_mmu(void *ctx, uint64_t cr0, uint64_t cr4, uint64_t efer) { require(cr0 || cr4 || efer); }

static void check_invlpg(void *ctx, gva_t addr) { require(canonical(gva_raw(addr))); }

static int fuzz_tsc(void *ctx, uint64_t *ret_value)
{
	*ret_value = 0x1122334455667788;
	return 0;
}

static const struct cpu_ops ops = {
    .read = fuzz_read,
    .write = fuzz_write,
    .cmpxchg = fuzz_cmpxchg,
    .port_in = fuzz_in,
    .port_out = fuzz_out,
    .tsc = fuzz_tsc,
    .cr3_loaded = ignore_cr3,
    .mmu_changed = ignore_mmu,
    .invlpg = check_invlpg,
    .faulted = check_invlpg,
    .limits = {.cr4_bits = CR4_LEGAL,
               .efer_bits = EFER_LEGAL,
               .xcr0_bits = 7,
               .phys_bits = PHYS_BITS,
               .tsc_aux = true,
               .intel = true},
};

/* What every guest keeps true by itself or is refused. */
static void check_state(const struct cpu_state *cpu)
{
	require(cpu->cpl == 0 || cpu->cpl == 3);
	require(cpu->cr0 & CR0_PE && cpu->cr0 & CR0_PG && cpu->cr0 >> 32 == 0);
	require(cpu->cr4 & CR4_PAE && !(cpu->cr4 & ~(uint64_t)CR4_LEGAL));
	require(cpu->efer & EFER_LMA && !(cpu->efer & ~(uint64_t)EFER_LEGAL));
	require(cpu->cr3 >> PHYS_BITS == 0 && cpu->cr8 <= 15);
	require(cpu->seg[SEG_CS].attributes & SEG_L);
	require(cpu->rflags & RFLAGS_FIXED && !(cpu->rflags & RFLAGS_VM) && cpu->rflags >> 32 == 0);
	require(canonical(cpu->gdtr.base) && canonical(cpu->idtr.base) && canonical(cpu->seg[SEG_TR].base));
	require(canonical(cpu->seg[SEG_FS].base) && canonical(cpu->seg[SEG_GS].base));
	require(canonical(cpu->msrs.lstar) && canonical(cpu->msrs.kernel_gs_base));
}

/* A legal state with the input's registers; the first bytes choose what is not a register. */
static struct cpu_state make_state(const uint8_t *data)
{
	uint8_t cpl = data[0] & 1 ? 3 : 0;
	struct cpu_state cpu = {
		.rip = data[1] & 1 ? PAGE_SIZE - data[2] % INSN_MAX - 1 : 0x200,
		.rflags = RFLAGS_FIXED | (data[3] & 0xd5) | (uint64_t)(data[4] & 0x7f) << 8,
		.cpl = cpl,
		.cr0 = CR0_PE | CR0_PG | (data[5] & 1 ? CR0_AM : 0),
		.cr4 = CR4_PAE | (data[5] & 2 ? CR4_UMIP | CR4_OSXSAVE | CR4_FSGSBASE : 0),
		.efer = EFER_LEGAL & ~(data[5] & 4 ? EFER_SCE : 0),
		.gdtr = {.base = 0x400, .limit = 0xff},
		.idtr = {.base = 0x500, .limit = 0x7ff},
	};

	cpu.seg[SEG_CS] = (struct cpu_segment){
		.selector = 8 | cpl, .attributes = (uint16_t)(SEG_P | SEG_S | SEG_L | SEG_TYPE_CODE | cpl << 5)};
	cpu.seg[SEG_TR] = (struct cpu_segment){.base = 0x700, .limit = 0xff, .attributes = SEG_P | SEG_TYPE_TSS_BUSY};
	return cpu;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) { return zydis_load(); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEADER = 6, REGS = GPR_COUNT * sizeof(uint64_t) };
	struct emul_result result;
	struct cpu_state cpu;

	if (size < HEADER + REGS)
		return 0;
	cpu = make_state(data);
	memcpy(cpu.gpr, data + HEADER, REGS);
	data += HEADER + REGS;
	size -= HEADER + REGS;
	memset(memory, 0, sizeof(memory));
	/* Code comes first in the input, then the tables. */
	size_t head = size < 64 ? size : 64;

	memcpy(memory + cpu.rip % MEMORY_SIZE, data, head < MEMORY_SIZE - cpu.rip ? head : MEMORY_SIZE - cpu.rip);
	if (size > head)
		memcpy(memory + 0x400, data + head, size - head < 0x800 ? size - head : 0x800);
	for (int i = 0; i < STEPS; i++) {
		enum emul_outcome outcome = emulate_insn(&cpu, &ops, NULL, &result);

		require(result.length <= INSN_MAX && emul_outcome_describe(outcome) != NULL);
		check_state(&cpu);
		if (outcome == EMUL_EXCEPTION &&
		    inject_exception(&cpu, &ops, NULL, &result.exc) > INJECT_REPLACED)
			return 0;
		if (outcome > EMUL_HALT)
			return 0;
		check_state(&cpu);
	}
	return 0;
}
