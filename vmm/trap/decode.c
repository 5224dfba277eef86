/* SPDX-License-Identifier: MIT */
#include "trap/decode.h"

#include <errno.h>

#include "trap/zydis.h"

static int fetch(struct trap_env *env, struct insn *insn, unsigned upto)
{
	unsigned have = insn->length;
	int err = env_read(env, env->cpu->rip + have, insn->bytes + have, upto - have, ACCESS_FETCH | env_rights(env));

	if (err == 0)
		insn->length = upto;
	return err;
}

int decode_insn(struct trap_env *env, struct insn *ret_insn)
{
	uint64_t left_in_page = PAGE_SIZE - page_offset(env->cpu->rip);
	unsigned first = left_in_page < INSN_MAX ? (unsigned)left_in_page : INSN_MAX;
	ZyanStatus status;
	int err;

	ret_insn->length = 0;
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
		return env_fault(env, VEC_UD, 0);
	ret_insn->length = ret_insn->z.length;
	return 0;
}
