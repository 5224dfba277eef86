/* SPDX-License-Identifier: MIT */
/*
 * The emulator against the real CPU. Random operands and addressing modes for every form in trap_forms.h: the same
 * bytes run in this process and in emulate_insn(), and registers, defined flags and memory must be the same after.
 */
#include <stdio.h>

#include "trap_forms.h"

#define RUNS 400

/* Registers as the real CPU takes and leaves them; the assembly below knows the layout. */
struct native {
	uint64_t gpr[GPR_COUNT];
	uint64_t rflags;
	uint64_t code;
	uint64_t saved_rsp;
};
struct native native;
void native_enter(void);
void native_exit(void);

#define LOAD(reg, n)  "mov native+8*" #n "(%rip), %" #reg "\n"
#define STORE(reg, n) "mov %" #reg ", native+8*" #n "(%rip)\n"
#define EACH(m)                                                                                                        \
	m(rax, 0) m(rcx, 1) m(rdx, 2) m(rbx, 3) m(rbp, 5) m(rsi, 6) m(rdi, 7) m(r8, 8) m(r9, 9) m(r10, 10) m(r11, 11)  \
		m(r12, 12) m(r13, 13) m(r14, 14) m(r15, 15)
__asm__(".text\n"
	"native_enter:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, native+8*18(%rip)\n"
	"pushq native+8*16(%rip)\n popfq\n" EACH(LOAD) LOAD(rsp, 4) "jmp *native+8*17(%rip)\n"
	"native_exit:\n" STORE(rsp, 4) "mov native+8*18(%rip), %rsp\n"
	"pushfq\n popq native+8*16(%rip)\n" EACH(STORE)
	"cld\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

/* Jumps to native_exit: after the instruction, and where branches land. */
static void put_exit(uint64_t at)
{
	static const uint8_t jmp[] = {0xff, 0x25, 0, 0, 0, 0}; /* jmp *0(%rip) */
	void (*exit_address)(void) = native_exit;

	memcpy(machine_u64(at), jmp, sizeof(jmp));
	memcpy((uint8_t *)machine_u64(at) + sizeof(jmp), &exit_address, sizeof(exit_address));
}

static void run_native(const struct insn_case *c)
{
	memcpy(machine_u64(CODE_PAGE), c->bytes, c->length);
	put_exit(CODE_PAGE + c->length);
	put_exit(TARGET);
	memcpy(native.gpr, c->gpr, sizeof(native.gpr));
	native.rflags = c->rflags;
	native.code = CODE_PAGE;
	native_enter();
}

static void describe(const struct insn_case *c, char text[64])
{
	for (unsigned i = 0; i < c->length; i++)
		snprintf(text + 3 * i, 64 - 3 * i, "%02x ", c->bytes[i]);
}

static uint8_t memory_before[2 * PAGE_SIZE + PAGE_SIZE], memory_native[sizeof(memory_before)];

/* A fault at each access in turn leaves everything as it was, but for the finished elements of a rep. */
static void check_faults(struct machine *m, const struct insn_case *c, const char *bytes)
{
	struct cpu_state before = m->cpu;
	struct emul_result result;

	for (m->fail_at = 0;; m->fail_at++) {
		m->accesses = 0;
		enum emul_outcome outcome = machine_run(m, c->bytes, c->length, &result);

		if (outcome != EMUL_EXCEPTION || m->accesses <= m->fail_at)
			break;
		cr_assert_eq(result.exc.vector, VEC_PF, "%s %s", c->form->name, bytes);
		cr_assert_eq(m->cpu.rip, before.rip);
		if (c->form->shape != STRING) {
			cr_assert_eq(memcmp(&m->cpu, &before, sizeof(before)), 0, "%s %s: fault %d changed the CPU",
				     c->form->name, bytes, m->fail_at);
			cr_assert_eq(memcmp(machine_u64(DATA_PAGE), memory_before, sizeof(memory_before)), 0,
				     "%s %s: fault %d changed memory", c->form->name, bytes, m->fail_at);
		}
		m->cpu = before;
		memcpy(machine_u64(DATA_PAGE), memory_before, sizeof(memory_before));
	}
	cr_assert_geq(m->fail_at, 1, "%s %s: not even the fetch can fault", c->form->name, bytes);
	m->fail_at = -1;
	m->cpu = before;
	memcpy(machine_u64(DATA_PAGE), memory_before, sizeof(memory_before));
	m->reads = m->writes = m->cmpxchgs = 0;
}

static void compare(const struct machine *m, const struct insn_case *c, const char *bytes)
{
	uint64_t defined = ~c->form->undefined & ~(uint64_t)RFLAGS_RF;
	bool branch = c->form->shape == STACK && c->form->digit == 4;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		cr_assert_eq(m->cpu.gpr[i], native.gpr[i], "%s %s: register %u is %#lx, the CPU says %#lx",
			     c->form->name, bytes, i, m->cpu.gpr[i], native.gpr[i]);
	cr_assert_eq(m->cpu.rflags & defined, native.rflags & defined, "%s %s: rflags %#lx, the CPU says %#lx",
		     c->form->name, bytes, m->cpu.rflags, native.rflags);
	cr_assert_eq(memcmp(machine_u64(DATA_PAGE), memory_native, sizeof(memory_native)), 0, "%s %s: memory",
		     c->form->name, bytes);
	cr_assert_eq(m->cpu.rip, branch ? TARGET : CODE_PAGE + c->length, "%s %s: rip", c->form->name, bytes);
	/* MMIO must see each access once. */
	if (c->form->shape <= BIT_REG) {
		cr_assert_leq(m->reads, 1, "%s %s: %u reads", c->form->name, bytes, m->reads);
		cr_assert_leq(m->writes, 1, "%s %s: %u writes", c->form->name, bytes, m->writes);
		cr_assert_leq(m->cmpxchgs, 1, "%s %s: %u exchanges", c->form->name, bytes, m->cmpxchgs);
		cr_assert(!c->lock || (m->writes == 0 && m->cmpxchgs == 1), "%s %s: not atomic", c->form->name, bytes);
	}
}

static void run_case(struct machine *m, const struct insn_case *c)
{
	struct emul_result result;
	char bytes[64] = "";
	enum emul_outcome outcome;

	describe(c, bytes);
	memcpy(memory_before, machine_u64(DATA_PAGE), sizeof(memory_before));
	run_native(c);
	memcpy(memory_native, machine_u64(DATA_PAGE), sizeof(memory_before));
	memcpy(machine_u64(DATA_PAGE), memory_before, sizeof(memory_before));
	memcpy(m->cpu.gpr, c->gpr, sizeof(c->gpr));
	m->cpu.rflags = c->rflags;
	m->cpu.rip = CODE_PAGE;
	check_faults(m, c, bytes);
	outcome = machine_run(m, c->bytes, c->length, &result);
	cr_assert_eq(outcome, EMUL_DONE, "%s %s: outcome %d, vector %d at %#lx, %s", c->form->name, bytes,
		     outcome, result.exc.vector, gva_raw(result.exc.cr2), result.why ? result.why : "");
	compare(m, c, bytes);
}

/* A wrong result, flag or address in any form, width or addressing mode. */
Test(emulate_native, same_as_the_cpu)
{
	struct machine m;

	machine_init(&m, 3);
	for (unsigned i = 0; i < FORMS; i++) {
		for (unsigned run = 0; run < RUNS; run++) {
			any_u64 *data = machine_u64(DATA_PAGE);

			for (unsigned n = 0; n < sizeof(memory_before) / sizeof(*data); n++)
				if (run == 0 || rnd() % 64 == 0)
					data[n] = rnd_value();
			struct insn_case c = insn_case_make(&forms[i]);

			run_case(&m, &c);
		}
	}
}
