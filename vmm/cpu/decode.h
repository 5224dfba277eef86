/* SPDX-License-Identifier: MIT */
/* Fetching and decoding the instruction at RIP, as 64-bit code, by Zydis. */
#ifndef GNOMON_CPU_DECODE_H
#define GNOMON_CPU_DECODE_H

#include <Zydis/Zydis.h>

#include "cpu/emulate.h"
#include "cpu/env.h"

struct insn {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT]; /* visible ones first */
	uint8_t bytes[INSN_MAX];
	unsigned length; /* of the instruction, or of what was fetched when decoding failed */
	bool decoded;
};

/*
 * Fetches at env->cpu->rip and decodes. The next page is fetched from only if the instruction reaches into it.
 * Raises the fetch's #PF; #GP for a RIP that is not canonical or more than 15 bytes. -ENOEXEC: Zydis knows no such
 * instruction. ret_insn->bytes and ->length are valid after a failure too.
 */
int must_check decode_insn(struct trap_env *env, struct insn *ret_insn);

#endif
