/* SPDX-License-Identifier: MIT */
/* One kind of case, or of difference, that a host is known for: quirks.c, and quirks_HOST.c with its list. */
#ifndef INSN_QUIRK_H
#define INSN_QUIRK_H

#include "check.h"

/* What was judged, and what came instead. */
struct pair {
	const struct generated *gen;
	const struct trapped *want, *got;
};

struct quirk {
	const char *why;
	bool nested_only;                                /* shadow mode can do better */
	bool (*leaves_out)(const struct generated *gen); /* such a case is not even run */
	bool (*excuses)(const struct pair *p);
};

struct quirks {
	const struct quirk *quirk;
	unsigned count;
};
extern const struct quirks quirks_of_pvm, quirks_of_tcg, quirks_of_bochs;

/* The operands of a decoded instruction, once more. */
bool quirk_decode(const struct generated *gen, ZydisDecodedInstruction *z, ZydisDecodedOperand *op);
bool quirk_canonical(uint64_t address);
/* A visible operand is an MMX register. */
bool quirk_has_mmx(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op);

#endif
