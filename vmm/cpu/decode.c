/* SPDX-License-Identifier: MIT */
#include "cpu/decode.h"

#include <errno.h>

#include "cpu/zydis.h"

static int fetch(struct trap_env *env, struct insn *insn, unsigned upto)
{
	unsigned have = insn->length;
	int err = env_read(env, env->cpu->rip + have, insn->bytes + have, upto - have, ACCESS_FETCH | env_rights(env));

	if (err == 0)
		insn->length = upto;
	return err;
}

/*
 * Zydis 4.0 takes the base of an absolute address for R13 when 32-bit addressing and REX.B come together;
 * mod 0 with base 5 has no base, whatever REX.B says, APM3 1.4.3.
 */
static void mend_absolute(struct insn *insn)
{
	bool no_base =
	    insn->z.attributes & ZYDIS_ATTRIB_HAS_SIB && insn->z.raw.modrm.mod == 0 && insn->z.raw.sib.base == 5;

	for (unsigned i = 0; no_base && i < insn->z.operand_count_visible; i++) {
		ZydisDecodedOperand *op = &insn->op[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.base == ZYDIS_REGISTER_R13D) {
			op->mem.base = ZYDIS_REGISTER_NONE;
			op->mem.disp.has_displacement = true;
			op->mem.disp.value = insn->z.raw.disp.value;
		}
	}
}

int decode_insn(struct trap_env *env, struct insn *ret_insn)
{
	uint64_t left_in_page = PAGE_SIZE - page_offset(env->cpu->rip);
	unsigned first = left_in_page < INSN_MAX ? (unsigned)left_in_page : INSN_MAX;
	ZyanStatus status;
	int err;

	ret_insn->length = 0;
	ret_insn->decoded = false;
	err = fetch(env, ret_insn, first);
	if (err)
		return err;

	status = zydis_decode(ret_insn->bytes, ret_insn->length, &ret_insn->z, ret_insn->op);
	if (status == ZYDIS_STATUS_NO_MORE_DATA && first < INSN_MAX) {
		err = fetch(env, ret_insn, INSN_MAX);
		if (err)
			return err;
		status = zydis_decode(ret_insn->bytes, ret_insn->length, &ret_insn->z, ret_insn->op);
	}
	if (status == ZYDIS_STATUS_NO_MORE_DATA || status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
		return env_fault(env, VEC_GP, 0);
	if (ZYAN_FAILED(status))
		return -ENOEXEC;
	ret_insn->length = ret_insn->z.length;
	ret_insn->decoded = true;
	mend_absolute(ret_insn);
	return 0;
}
