/* SPDX-License-Identifier: MIT */
/* Hardware breakpoints, as the emulator and supervised guests meet them. */
#include <criterion/criterion.h>

#include "cpu/breakpoint.h"
#include "trap_machine.h"

/* DR7: local enable, condition and length of breakpoint n */
#define DR7(n, condition, length) (1ull << 2 * (n) | (uint64_t)((condition) | (length) << 2) << (16 + 4 * (n)))
#define EXECUTE                   0
#define WRITE                     1
#define ACCESS                    3
#define LEN_1                     0
#define LEN_2                     1
#define LEN_8                     2
#define LEN_4                     3

#define RUN(m, result, ...) machine_run(m, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), result)

Test(breakpoint, meets_what_it_names_and_no_neighbour)
{
	struct cpu_state cpu = {.dr = {[0] = 0x1000, [1] = 0x2002, [2] = 0x3008, [3] = 0x4005}};

	cr_assert_eq(breakpoint_data(&cpu, 0x1000, 8, true), 0, "none is enabled");
	cpu.dr[7] = DR7(0, ACCESS, LEN_1) | DR7(1, WRITE, LEN_2) | DR7(2, ACCESS, LEN_8) | DR7(3, WRITE, LEN_4);
	cr_assert_eq(breakpoint_data(&cpu, 0x1000, 1, false), 1);
	cr_assert_eq(breakpoint_data(&cpu, 0xff9, 8, false), 1, "its last byte");
	cr_assert_eq(breakpoint_data(&cpu, 0xff8, 8, false), 0);
	cr_assert_eq(breakpoint_data(&cpu, 0x1001, 8, false), 0);
	cr_assert_eq(breakpoint_data(&cpu, 0x2002, 2, false), 0, "a read");
	cr_assert_eq(breakpoint_data(&cpu, 0x2003, 1, true), 2);
	cr_assert_eq(breakpoint_data(&cpu, 0x2004, 4, true), 0);
	cr_assert_eq(breakpoint_data(&cpu, 0x300f, 1, false), 4);
	cr_assert_eq(breakpoint_data(&cpu, 0x4004, 1, true), 8, "the address is aligned to the length");
	cr_assert_eq(breakpoint_data(&cpu, 0x4008, 1, true), 0);
	cr_assert_eq(breakpoint_data(&cpu, UINT64_MAX - 7, 8, true), 0, "the last bytes there are");
	cr_assert_eq(breakpoint_exec(&cpu, 0x1000), 0, "data");
}

Test(breakpoint, instruction_unless_rf)
{
	struct cpu_state cpu = {.dr = {[2] = 0x1000, [7] = DR7(2, EXECUTE, LEN_1)}};

	cr_assert_eq(breakpoint_exec(&cpu, 0x1000), 4);
	cr_assert_eq(breakpoint_exec(&cpu, 0x1001), 0);
	cr_assert_eq(breakpoint_data(&cpu, 0x1000, 1, true), 0);
	cpu.rflags = RFLAGS_RF;
	cr_assert_eq(breakpoint_exec(&cpu, 0x1000), 0, "the instruction is resumed");
}

/* What an emulated instruction stores comes before its trap; a fault leaves none. */
Test(breakpoint, emulated_access_traps_afterwards)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.dr[1] = DATA_PAGE + 8;
	m.cpu.dr[7] = DR7(1, WRITE, LEN_8);
	m.cpu.gpr[GPR_RAX] = 0x1234;
	m.cpu.gpr[GPR_RBX] = DATA_PAGE + 8;
	cr_assert_eq(RUN(&m, &r, 0x48, 0x89, 0x03), EMUL_EXCEPTION, "mov %%rax, (%%rbx)");
	cr_assert(r.exc.vector == VEC_DB && r.exc.dr6 == 2 && m.cpu.rip == CODE_PAGE + 3);
	cr_assert_eq(*machine_u64(DATA_PAGE + 8), 0x1234);
	m.cpu.rip = CODE_PAGE;
	cr_assert_eq(RUN(&m, &r, 0xf0, 0x48, 0x0f, 0xb1, 0x03), EMUL_EXCEPTION, "lock cmpxchg %%rax, (%%rbx)");
	cr_assert(r.exc.vector == VEC_DB && r.exc.dr6 == 2);
	m.cpu.rip = CODE_PAGE;
	cr_assert_eq(RUN(&m, &r, 0x48, 0x8b, 0x03), EMUL_DONE, "a load");
	m.cpu.rip = CODE_PAGE;
	m.cpu.gpr[GPR_RBX] = DATA_PAGE;
	cr_assert_eq(RUN(&m, &r, 0x48, 0x89, 0x03), EMUL_DONE, "another address");
}

/* General detect: a MOV to or from a debug register is seen before it is done, and once. */
Test(breakpoint, general_detect)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.gpr[GPR_RAX] = DR7_GD;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x23, 0xf8), EMUL_DONE, "mov %%rax, %%dr7");
	m.cpu.rip = CODE_PAGE;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x21, 0xc0), EMUL_EXCEPTION, "mov %%dr0, %%rax");
	cr_assert(r.exc.vector == VEC_DB && r.exc.dr6 == DR6_BD && m.cpu.rip == CODE_PAGE);
	cr_assert_eq(inject_exception(&m.cpu, &m.ops, &m, &r.exc), INJECT_DONE);
	cr_assert(m.cpu.dr[6] & DR6_BD && !(m.cpu.dr[7] & DR7_GD), "the handler may look");
}
