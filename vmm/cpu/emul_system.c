/* SPDX-License-Identifier: MIT */
/* Interrupt flag, descriptor-table registers, TLB invalidation, and what else is privileged. */
#include <string.h>

#include "cpu/emul.h"
#include "cpu/segment.h"

#define TABLE_OPERAND 10 /* bytes of a 64-bit lgdt operand: limit, base */

static int gp(struct emul *e) { return env_fault(&e->env, VEC_GP, 0); }

static bool iopl_allows(const struct cpu_state *cpu)
{
	return cpu->cpl <= (cpu->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT;
}

int emul_hlt(struct emul *e)
{
	e->env.cpu->halted = true;
	return 0;
}

/* ud0, ud1 and ud2 */
int emul_ud(struct emul *e) { return env_fault(&e->env, VEC_UD, 0); }

/* wbinvd and invd: caches are the host's. */
int emul_nothing(struct emul *e) { return 0; }

int emul_cli(struct emul *e)
{
	if (!iopl_allows(e->env.cpu))
		return gp(e);
	e->env.cpu->rflags &= ~(uint64_t)RFLAGS_IF;
	return 0;
}

int emul_sti(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;

	if (!iopl_allows(cpu))
		return gp(e);
	cpu->interrupt_shadow = !(cpu->rflags & RFLAGS_IF);
	cpu->rflags |= RFLAGS_IF;
	return 0;
}

static int set_ac(struct emul *e, uint64_t ac)
{
	struct cpu_state *cpu = e->env.cpu;

	if (cpu->cpl != 0 || !(e->env.ops->limits.cr4_bits & CR4_SMAP))
		return env_fault(&e->env, VEC_UD, 0);
	cpu->rflags = (cpu->rflags & ~(uint64_t)RFLAGS_AC) | ac;
	return 0;
}

int emul_stac(struct emul *e) { return set_ac(e, RFLAGS_AC); }
int emul_clac(struct emul *e) { return set_ac(e, 0); }

/* An address that is not canonical has no translation to drop; it is no fault, APM3 INVLPG. */
int emul_invlpg(struct emul *e)
{
	const ZydisDecodedOperand *op = &e->insn.op[0];
	uint64_t address = emul_based(e, op->mem.segment, emul_address(e, op, 0));

	if (env_canonical(&e->env, address)) {
		e->notices |= NOTICE_INVLPG;
		e->invlpg_addr = address;
	}
	return 0;
}

static struct cpu_table *table_of(struct emul *e)
{
	bool gdt = e->insn.z.mnemonic == ZYDIS_MNEMONIC_LGDT || e->insn.z.mnemonic == ZYDIS_MNEMONIC_SGDT;

	return gdt ? &e->env.cpu->gdtr : &e->env.cpu->idtr;
}

static int table_linear(struct emul *e, uint64_t *ret_linear)
{
	const ZydisDecodedOperand *op = &e->insn.op[0];

	return emul_linear(e, emul_operand_segment(op), emul_address(e, op, 0), TABLE_OPERAND, ret_linear);
}

/* lgdt and lidt */
int emul_load_table(struct emul *e)
{
	struct cpu_table table = {0};
	uint8_t raw[TABLE_OPERAND];
	uint64_t linear = 0;
	int err = table_linear(e, &linear);

	if (err == 0)
		err = env_read(&e->env, linear, raw, sizeof(raw), 0);
	if (err)
		return err;
	memcpy(&table.limit, raw, sizeof(table.limit));
	memcpy(&table.base, raw + sizeof(table.limit), sizeof(table.base));
	if (!env_canonical(&e->env, table.base))
		return gp(e);
	*table_of(e) = table;
	return 0;
}

static bool umip_forbids(const struct cpu_state *cpu) { return cpu->cpl != 0 && cpu->cr4 & CR4_UMIP; }

/* sgdt and sidt */
int emul_store_table(struct emul *e)
{
	const struct cpu_table *table = table_of(e);
	uint8_t raw[TABLE_OPERAND];
	uint64_t linear = 0;
	int err;

	if (umip_forbids(e->env.cpu))
		return gp(e);
	err = table_linear(e, &linear);
	if (err)
		return err;
	memcpy(raw, &table->limit, sizeof(table->limit));
	memcpy(raw + sizeof(table->limit), &table->base, sizeof(table->base));
	return env_write(&e->env, linear, raw, sizeof(raw), env_rights(&e->env));
}

/* sldt and str */
int emul_store_selector(struct emul *e)
{
	enum segment which = e->insn.z.mnemonic == ZYDIS_MNEMONIC_SLDT ? SEG_LDTR : SEG_TR;

	if (umip_forbids(e->env.cpu))
		return gp(e);
	return emul_write(e, &e->insn.op[0], e->env.cpu->seg[which].selector);
}

/* A system segment of the one type that suits, from the GDT, APM3 LLDT and LTR. */
static int load_system(struct emul *e, uint16_t selector, uint8_t type, struct cpu_segment *ret_segment)
{
	uint32_t error = selector & (SELECTOR_INDEX | SELECTOR_TI);
	struct cpu_segment s;
	int err;

	if (selector & SELECTOR_TI)
		return env_fault(&e->env, VEC_GP, error);
	err = segment_read(&e->env, selector, 0, true, &s);
	if (err)
		return err;
	if ((s.attributes & (SEG_S | SEG_TYPE)) != type)
		return env_fault(&e->env, VEC_GP, error);
	if (!(s.attributes & SEG_P))
		return env_fault(&e->env, VEC_NP, error);
	if (!env_canonical(&e->env, s.base))
		return env_fault(&e->env, VEC_GP, error);
	*ret_segment = s;
	return 0;
}

int emul_lldt(struct emul *e)
{
	uint64_t selector = 0;
	int err = emul_read(e, &e->insn.op[0], &selector);

	if (err)
		return err;
	if (segment_is_null((uint16_t)selector)) {
		e->env.cpu->seg[SEG_LDTR] = (struct cpu_segment){.selector = (uint16_t)selector};
		return 0;
	}
	return load_system(e, (uint16_t)selector, SEG_TYPE_LDT, &e->env.cpu->seg[SEG_LDTR]);
}

int emul_ltr(struct emul *e)
{
	struct cpu_segment tss = {0};
	uint64_t selector = 0;
	int err = emul_read(e, &e->insn.op[0], &selector);

	if (err)
		return err;
	if (segment_is_null((uint16_t)selector))
		return gp(e);
	err = load_system(e, (uint16_t)selector, SEG_TYPE_TSS, &tss);
	if (err == 0)
		err = segment_mark_busy(&e->env, &tss);
	if (err == 0)
		e->env.cpu->seg[SEG_TR] = tss;
	return err;
}
