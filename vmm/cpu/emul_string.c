/* SPDX-License-Identifier: MIT */
/* The rep frame around string instructions. */
#include "cpu/emul.h"

/* One call stays this short, so that interrupts are seen: two pages of quadwords. */
#define REPEAT_MAX 1024

uint64_t emul_index(const struct emul *e, enum gpr which)
{
	return e->env.cpu->gpr[which] & emul_mask(e->insn.z.address_width);
}

static void set_index(struct emul *e, enum gpr which, uint64_t value)
{
	e->env.cpu->gpr[which] = value & emul_mask(e->insn.z.address_width);
}

bool emul_is_repeated(const struct emul *e)
{
	return e->insn.z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

void emul_advance(struct emul *e, enum gpr which, unsigned size)
{
	uint64_t step = e->env.cpu->rflags & RFLAGS_DF ? -(uint64_t)size : size;

	set_index(e, which, emul_index(e, which) + step);
}

int emul_repeat(struct emul *e, emul_element_fn *element, unsigned size)
{
	/* Under RFLAGS.TF the trap comes after each element. */
	unsigned left = e->env.cpu->rflags & RFLAGS_TF ? 1 : REPEAT_MAX;
	int err;

	if (!emul_is_repeated(e))
		return element(e, size);
	while (emul_index(e, GPR_RCX) != 0) {
		if (left-- == 0)
			break;
		err = element(e, size);
		if (err)
			return err;
		set_index(e, GPR_RCX, emul_index(e, GPR_RCX) - 1);
		e->keep = true;
		if (e->env.hits) /* the trap of a breakpoint comes after the element that met it */
			break;
	}
	e->repeat = emul_index(e, GPR_RCX) != 0;
	return 0;
}

ZydisRegister emul_source_segment(const struct emul *e)
{
	if (e->insn.z.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS)
		return ZYDIS_REGISTER_FS;
	if (e->insn.z.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS)
		return ZYDIS_REGISTER_GS;
	return ZYDIS_REGISTER_DS;
}
