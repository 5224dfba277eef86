/* SPDX-License-Identifier: MIT */
/* What is known beforehand of an instruction that the CPU executes: inspect.h. */
#include <criterion/criterion.h>

#include "cpu/inspect.h"
#include "trap_machine.h"

#define B(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

static const struct {
	const char *name;
	uint8_t bytes[8];
	unsigned length;
	bool stays;
} insns[] = {
    {"nop", B(0x90), false},
    {"shlq (%rax)", B(0x48, 0xd1, 0x20), false},
    {"mov %rax, (%rbx)", B(0x48, 0x89, 0x03), false},
    {"push %rax", B(0x50), false},
    {"lea (%rip), %rax", B(0x48, 0x8d, 0x05, 0, 0, 0, 0), false},
    {"popfq", B(0x9d), false},
    {"mov %eax, %ss", B(0x8e, 0xd0), false},
    {"movsq", B(0x48, 0xa5), false},
    {"movaps (%rax), %xmm0", B(0x0f, 0x28, 0x00), false},
    {"int1", B(0xf1), true},
    {"repz int1", B(0xf3, 0xf1), true},
    {"jmp .", B(0xeb, 0xfe), true},
    {"jmp *%rax", B(0xff, 0xe0), true},
    {"jmp *(%rax)", B(0xff, 0x20), true},
    {"jz .", B(0x74, 0xfe), true},
    {"jnz . in six bytes", B(0x0f, 0x85, 0xfa, 0xff, 0xff, 0xff), true},
    {"loop .", B(0xe2, 0xfe), true},
    {"jrcxz .", B(0xe3, 0xfe), true},
    {"call .", B(0xe8, 0xfb, 0xff, 0xff, 0xff), true},
    {"ret", B(0xc3), true},
    {"rep movsb", B(0xf3, 0xa4), true},
    {"repne scasb", B(0xf2, 0xae), true},
    {"rep insb", B(0xf3, 0x6c), true},
    {"vpgatherdd %xmm2, (%rdi,%xmm1), %xmm0", B(0xc4, 0xe2, 0x69, 0x90, 0x04, 0x0f), true},
};

Test(inspect, may_have_run_and_rip_be_at_it)
{
	struct inspection i;
	struct machine m;

	for (unsigned n = 0; n < sizeof(insns) / sizeof(*insns); n++) {
		machine_init(&m, 3);
		m.cpu.gpr[GPR_RAX] = m.cpu.gpr[GPR_RBX] = m.cpu.gpr[GPR_RDI] = DATA_PAGE;
		memcpy(machine_at(gva_init(m.cpu.rip)), insns[n].bytes, insns[n].length);
		cr_assert(inspect_insn(&m.cpu, &m.ops, &m, &i), "%s", insns[n].name);
		cr_assert(i.known, "%s", insns[n].name);
		cr_assert_eq(i.length, insns[n].length, "%s", insns[n].name);
		cr_assert_eq(i.int1, insns[n].bytes[insns[n].length - 1] == 0xf1, "%s", insns[n].name);
		cr_assert_eq(i.stays, insns[n].stays, "%s", insns[n].name);
	}
	memcpy(machine_at(gva_init(m.cpu.rip)), (uint8_t[]){0x06}, 1);
	cr_assert(inspect_insn(&m.cpu, &m.ops, &m, &i) && !i.known);
}
