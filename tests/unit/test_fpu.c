/* SPDX-License-Identifier: MIT */
/*
 * Which exception CR0.TS, EM, MP and CR4.OSFXSR, OSXSAVE owe an instruction: APM3's lists of exceptions, and SDM vol.
 * 2's.
 */
#include <criterion/criterion.h>

#include "cpu/decode.h"
#include "cpu/fpu.h"
#include "trap_machine.h"

#define B(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

static const struct {
	const char *name;
	uint8_t bytes[8];
	unsigned length;
	enum insn_fpu fpu;
} insns[] = {
    {"fld1", B(0xd9, 0xe8), INSN_FPU_X87},
    {"fninit", B(0xdb, 0xe3), INSN_FPU_X87},
    {"fnstsw %ax", B(0xdf, 0xe0), INSN_FPU_X87},
    {"fnop", B(0xd9, 0xd0), INSN_FPU_X87},
    {"fildl (%rax)", B(0xdb, 0x00), INSN_FPU_X87},
    {"fxsave (%rax)", B(0x0f, 0xae, 0x00), INSN_FPU_X87},
    {"fxrstor64 (%rax)", B(0x48, 0x0f, 0xae, 0x08), INSN_FPU_X87},
    {"fwait", B(0x9b), INSN_FPU_WAIT},
    {"emms", B(0x0f, 0x77), INSN_FPU_MMX},
    {"movd %eax, %mm0", B(0x0f, 0x6e, 0xc0), INSN_FPU_MMX},
    {"pand %mm1, %mm0", B(0x0f, 0xdb, 0xc1), INSN_FPU_MMX},
    {"movaps %xmm0, %xmm1", B(0x0f, 0x28, 0xc8), INSN_FPU_SSE},
    {"movups %xmm0, (%rax)", B(0x0f, 0x11, 0x00), INSN_FPU_SSE},
    {"cvtpi2ps %mm0, %xmm0", B(0x0f, 0x2a, 0xc0), INSN_FPU_SSE},
    {"ldmxcsr (%rax)", B(0x0f, 0xae, 0x10), INSN_FPU_SSE},
    {"movmskps %xmm0, %eax", B(0x0f, 0x50, 0xc0), INSN_FPU_SSE},
    {"aesenc %xmm1, %xmm0", B(0x66, 0x0f, 0x38, 0xdc, 0xc1), INSN_FPU_SSE},
    {"vmovaps %xmm0, %xmm1", B(0xc5, 0xf8, 0x28, 0xc8), INSN_FPU_AVX},
    {"vzeroupper", B(0xc5, 0xf8, 0x77), INSN_FPU_AVX},
    {"xsave (%rax)", B(0x0f, 0xae, 0x20), INSN_FPU_AVX},
    {"xrstor (%rax)", B(0x0f, 0xae, 0x28), INSN_FPU_AVX},
    {"nop", B(0x90), INSN_FPU_NONE},
    {"movnti %eax, (%rax)", B(0x0f, 0xc3, 0x00), INSN_FPU_NONE},
    {"sfence", B(0x0f, 0xae, 0xf8), INSN_FPU_NONE},
    {"prefetcht0 (%rax)", B(0x0f, 0x18, 0x08), INSN_FPU_NONE},
    {"crc32b %al, %eax", B(0xf2, 0x0f, 0x38, 0xf0, 0xc0), INSN_FPU_NONE},
    {"popcnt %eax, %eax", B(0xf3, 0x0f, 0xb8, 0xc0), INSN_FPU_NONE},
    {"andn %eax, %eax, %eax", B(0xc4, 0xe2, 0x78, 0xf2, 0xc0), INSN_FPU_NONE},
    {"clflush (%rax)", B(0x0f, 0xae, 0x38), INSN_FPU_NONE},
    {"shl (%rax)", B(0xd1, 0x20), INSN_FPU_NONE},
};

Test(fpu, class_of_each_kind_of_instruction)
{
	struct machine m;

	machine_init(&m, 3);
	for (size_t i = 0; i < sizeof(insns) / sizeof(*insns); i++) {
		struct trap_env env = {.cpu = &m.cpu, .ops = &m.ops, .ctx = &m};
		struct insn insn;

		memcpy(machine_at(gva_init(m.cpu.rip)), insns[i].bytes, insns[i].length);
		cr_assert_eq(decode_insn(&env, &insn), 0, "%s", insns[i].name);
		cr_assert_eq(insn.length, insns[i].length, "%s", insns[i].name);
		cr_assert_eq(insn_fpu(&insn), insns[i].fpu, "%s: %d", insns[i].name, insn_fpu(&insn));
	}
}

/* By class, with each of the bits alone; what all of them together give shows which goes first. */
Test(fpu, faults)
{
	static const struct {
		uint64_t cr0, cr4;
		int vector[INSN_FPU_AVX + 1]; /* none, x87, wait, mmx, sse, avx */
	} rows[] = {
	    {0, CR4_OSFXSR | CR4_OSXSAVE, {-1, -1, -1, -1, -1, -1}},
	    {CR0_TS, CR4_OSFXSR | CR4_OSXSAVE, {-1, VEC_NM, -1, VEC_NM, VEC_NM, VEC_NM}},
	    {CR0_TS | CR0_MP, CR4_OSFXSR | CR4_OSXSAVE, {-1, VEC_NM, VEC_NM, VEC_NM, VEC_NM, VEC_NM}},
	    {CR0_MP, CR4_OSFXSR | CR4_OSXSAVE, {-1, -1, -1, -1, -1, -1}},
	    {CR0_EM, CR4_OSFXSR | CR4_OSXSAVE, {-1, VEC_NM, -1, VEC_UD, VEC_UD, -1}},
	    {CR0_EM | CR0_TS, CR4_OSFXSR | CR4_OSXSAVE, {-1, VEC_NM, -1, VEC_UD, VEC_UD, VEC_NM}},
	    {0, 0, {-1, -1, -1, -1, VEC_UD, VEC_UD}},
	    {CR0_TS, 0, {-1, VEC_NM, -1, VEC_NM, VEC_UD, VEC_UD}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct cpu_state cpu = {.cr0 = rows[i].cr0, .cr4 = rows[i].cr4};

		for (int fpu = INSN_FPU_NONE; fpu <= INSN_FPU_AVX; fpu++)
			cr_assert_eq(insn_fpu_fault(&cpu, fpu), rows[i].vector[fpu], "row %zu, class %d", i, fpu);
	}
}
