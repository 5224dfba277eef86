/* SPDX-License-Identifier: MIT */
/* Changes of code segment and privilege: iret, far ret, jmp and call, int. 64-bit targets only. */
#include <errno.h>
#include <string.h>

#include "cpu/emul.h"
#include "cpu/inject.h"
#include "cpu/segment.h"

enum frame_slot { FRAME_RIP, FRAME_CS, FRAME_RFLAGS, FRAME_RSP, FRAME_SS, FRAME_SLOTS };

uint64_t emul_merge_rflags(const struct cpu_state *cpu, uint64_t popped, unsigned bits)
{
	unsigned iopl = (cpu->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT;
	uint64_t take = EMUL_FLAGS_POPPED;

	if (cpu->cpl <= iopl)
		take |= RFLAGS_IF;
	if (cpu->cpl == 0)
		take |= RFLAGS_IOPL;
	take &= emul_mask(bits);
	return (cpu->rflags & ~take) | (popped & take) | RFLAGS_FIXED;
}

/* `slots` values of `size` bytes from `rsp` up, each aligned by itself under RFLAGS.AC. */
static int stack_linear(struct emul *e, uint64_t rsp, unsigned size, unsigned slots, uint64_t *ret_linear)
{
	uint64_t last;
	int err = emul_linear(e, ZYDIS_REGISTER_SS, rsp + size * (slots - 1), size, &last);

	return err ? err : emul_linear(e, ZYDIS_REGISTER_SS, rsp, size, ret_linear);
}

/* Those values, zero-extended, in one access. */
static int read_stack(struct emul *e, uint64_t rsp, unsigned size, unsigned slots, uint64_t *ret_frame)
{
	uint8_t raw[FRAME_SLOTS * sizeof(uint64_t)];
	uint64_t linear = 0;
	int err = stack_linear(e, rsp, size, slots, &linear);

	if (err == 0)
		err = env_read(&e->env, linear, raw, size * slots, env_rights(&e->env));
	if (err)
		return err;
	memset(ret_frame, 0, slots * sizeof(*ret_frame));
	for (unsigned i = 0; i < slots; i++)
		memcpy(&ret_frame[i], raw + i * size, size);
	return 0;
}

static int check_code(struct emul *e, uint16_t selector, struct cpu_segment *ret_cs)
{
	int err = segment_check_code(&e->env, selector, true, ret_cs);

	return err == -EOPNOTSUPP ? emul_unsupported(e, "a return to code that is not 64-bit") : err;
}

/* Everything a return changes, checked and loaded; SS and RSP only if `with_stack`. */
static int return_to(struct emul *e, const uint64_t *frame, bool with_stack)
{
	struct cpu_state *cpu = e->env.cpu;
	struct cpu_segment cs = {0}, ss = cpu->seg[SEG_SS];
	uint8_t new_cpl = frame[FRAME_CS] & SELECTOR_RPL;
	int err = check_code(e, (uint16_t)frame[FRAME_CS], &cs);

	if (err == 0 && with_stack)
		err = segment_check_stack(&e->env, (uint16_t)frame[FRAME_SS], new_cpl, &ss);
	if (err == 0 && !env_canonical(&e->env, frame[FRAME_RIP]))
		err = env_fault(&e->env, VEC_GP, 0);
	if (err == 0)
		err = segment_mark_accessed(&e->env, &cs);
	if (err == 0 && with_stack && ss.attributes & SEG_P)
		err = segment_mark_accessed(&e->env, &ss);
	if (err)
		return err;
	cpu->seg[SEG_CS] = cs;
	cpu->seg[SEG_SS] = ss;
	cpu->rip = frame[FRAME_RIP];
	if (with_stack)
		cpu->gpr[GPR_RSP] = frame[FRAME_RSP];
	if (new_cpl != cpu->cpl)
		segment_drop_privileged(cpu);
	cpu->cpl = new_cpl;
	return 0;
}

/* In 64-bit mode iret always pops SS and RSP, APM3 IRET. */
int emul_iret(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	unsigned size = e->insn.z.operand_width / 8u;
	uint64_t frame[FRAME_SLOTS], rflags;
	int err;

	if (cpu->rflags & RFLAGS_NT)
		return env_fault(&e->env, VEC_GP, 0);
	err = read_stack(e, cpu->gpr[GPR_RSP], size, FRAME_SLOTS, frame);
	if (err)
		return err;
	rflags = emul_merge_rflags(cpu, frame[FRAME_RFLAGS], size * 8);
	if (cpu->cpl == 0 && size > 2) /* these two IRET alone loads, SDM vol. 2 IRET */
		rflags = (rflags & ~(uint64_t)RFLAGS_VIRTUAL) | (frame[FRAME_RFLAGS] & RFLAGS_VIRTUAL);
	err = return_to(e, frame, true);
	if (err)
		return err;
	cpu->rflags = rflags;
	e->keep_rf = true;
	return 0;
}

/* RIP and CS, and after the immediate's bytes RSP and SS if the privilege drops. */
int emul_ret_far(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	unsigned size = e->insn.z.operand_width / 8u;
	uint64_t frame[FRAME_SLOTS] = {0}, skip = 0, rsp = cpu->gpr[GPR_RSP];
	bool outer;
	int err = read_stack(e, rsp, size, 2, frame);

	if (err)
		return err;
	if (e->insn.op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		skip = e->insn.op[0].imm.value.u & 0xffff;
	rsp += 2 * size + skip;
	outer = (frame[FRAME_CS] & SELECTOR_RPL) > cpu->cpl;
	if (outer) {
		err = read_stack(e, rsp, size, 2, &frame[FRAME_RSP]);
		if (err)
			return err;
		frame[FRAME_RSP] += skip;
	}
	err = return_to(e, frame, outer);
	if (err == 0 && !outer)
		cpu->gpr[GPR_RSP] = rsp;
	return err;
}

/* Bytes of a far pointer's offset. AMD's CPUs know none of 64 bits, APM3 LSS, JMP (far), CALL (far). */
static unsigned far_size(const struct emul *e, unsigned bits)
{
	return bits == 64 && !e->env.ops->limits.intel ? 4 : bits / 8;
}

/* A far pointer in memory: offset of `size` bytes, then selector. */
static int read_far(struct emul *e, const ZydisDecodedOperand *op, unsigned size, uint16_t *ret_selector,
		    uint64_t *ret_offset)
{
	uint8_t raw[sizeof(uint64_t) + sizeof(uint16_t)];
	uint64_t linear = 0;
	int err = emul_operand_linear(e, op, 0, &linear);

	/* Under RFLAGS.AC aligned as its offset, SDM vol. 3 table 6-7. */
	if (err == 0)
		err = emul_linear(e, emul_operand_segment(op), emul_address(e, op, 0), size, &linear);
	if (err == 0)
		err = env_read(&e->env, linear, raw, size + sizeof(*ret_selector), env_rights(&e->env));
	if (err)
		return err;
	*ret_offset = 0;
	memcpy(ret_offset, raw, size);
	memcpy(ret_selector, raw + size, sizeof(*ret_selector));
	return 0;
}

/* lss, lfs, lgs: the segment first, it may fault. */
int emul_load_far(struct emul *e)
{
	const ZydisMnemonic m = e->insn.z.mnemonic;
	const enum segment which = m == ZYDIS_MNEMONIC_LSS ? SEG_SS : m == ZYDIS_MNEMONIC_LFS ? SEG_FS : SEG_GS;
	uint64_t offset = 0;
	uint16_t selector = 0;
	int err = read_far(e, &e->insn.op[1], far_size(e, e->insn.op[0].size), &selector, &offset);

	if (err == 0)
		err = segment_load(&e->env, which, selector);
	if (err == 0)
		emul_reg_write(e->env.cpu, e->insn.op[0].reg.value, offset);
	return err;
}

/* The privilege stays; the selector's RPL becomes the CPL. */
static int far_target(struct emul *e, unsigned size, struct cpu_segment *ret_cs, uint64_t *ret_rip)
{
	uint64_t rip = 0;
	uint16_t selector = 0;
	int err = read_far(e, &e->insn.op[0], size, &selector, &rip);

	if (err)
		return err;
	err = segment_check_code(&e->env, selector, false, ret_cs);
	if (err == -EOPNOTSUPP)
		return emul_unsupported(e, "a far branch to a gate, a task or code that is not 64-bit");
	if (err)
		return err;
	if (!env_canonical(&e->env, rip))
		return env_fault(&e->env, VEC_GP, 0);
	ret_cs->selector = (uint16_t)((selector & ~SELECTOR_RPL) | e->env.cpu->cpl);
	*ret_rip = rip;
	return segment_mark_accessed(&e->env, ret_cs);
}

int emul_jmp_far(struct emul *e)
{
	struct cpu_segment cs = {0};
	uint64_t rip = 0;
	int err = far_target(e, far_size(e, e->insn.z.operand_width), &cs, &rip);

	if (err)
		return err;
	e->env.cpu->seg[SEG_CS] = cs;
	e->env.cpu->rip = rip;
	return 0;
}

int emul_call_far(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	unsigned size = far_size(e, e->insn.z.operand_width);
	const uint64_t frame[] = {cpu->rip, cpu->seg[SEG_CS].selector};
	uint64_t linear = 0, rsp = cpu->gpr[GPR_RSP] - 2 * size;
	uint8_t raw[sizeof(frame)];
	int err;

	memcpy(raw, &frame[0], size);
	memcpy(raw + size, &frame[1], size);
	err = emul_jmp_far(e);
	if (err == 0)
		err = stack_linear(e, rsp, size, 2, &linear);
	if (err == 0)
		err = env_write(&e->env, linear, raw, 2 * size, env_rights(&e->env));
	if (err == 0)
		cpu->gpr[GPR_RSP] = rsp;
	return err;
}

/* #DB behind it, whatever the gate's DPL, and nothing new in DR6: SDM vol. 3 17.3.1, APM3 "INT1". */
int emul_int1(struct emul *e)
{
	e->no_trap = e->int1 = true;
	return 0;
}

/* int3 has its vector in the opcode; RFLAGS.TF is cleared by the delivery and traps no more. */
int emul_int(struct emul *e)
{
	uint8_t vector = e->insn.z.mnemonic == ZYDIS_MNEMONIC_INT3 ? VEC_BP : (uint8_t)e->insn.op[0].imm.value.u;

	e->no_trap = true;
	return inject_software(e->env.cpu, e->env.ops, e->env.ctx, vector, &e->env.exc);
}
