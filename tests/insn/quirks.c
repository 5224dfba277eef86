/* SPDX-License-Identifier: MIT */
/*
 * What hosts do to a program before Gnomon hears of it. Each entry tells one kind of difference as narrowly as it can
 * be told; what is left of a result must still be the same.
 */
#include <gnomon/x86.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define RFLAGS_NT      (1 << 14)
#define CANONICAL_BITS 48

static bool rsp_not_canonical(const struct block *b, const struct generated *gen, const struct insn_result *judge,
                              const struct insn_result *found)
{
	const int64_t rsp = gen->c.gpr[4];

	return rsp << (64 - CANONICAL_BITS) >> (64 - CANONICAL_BITS) != rsp;
}

static bool setssbsy(const struct block *b, const struct generated *gen, const struct insn_result *judge,
                     const struct insn_result *found)
{
	return gen->mnemonic == ZYDIS_MNEMONIC_SETSSBSY && judge->trapped.vector == VEC_UD;
}

static const struct quirk {
	const char *why;
	bool (*explains)(const struct block *b, const struct generated *gen, const struct insn_result *judge,
	                 const struct insn_result *found);
} pvm[] = {
    {"while RSP is not canonical KVM's emulator executes the program, and knows few instructions", rsp_not_canonical},
    {"SETSSBSY: KVM's emulator goes on behind it", setssbsy},
};

static bool on_pvm(void)
{
	static int found = -1;

	if (found < 0)
		found = access("/sys/module/kvm_pvm", F_OK) == 0;
	return found;
}

void quirk_prepare(const struct side *tested, struct insn_case *c)
{
	if (tested->run != guest_run || !on_pvm())
		return;
	c->rflags &= ~(uint64_t)RFLAGS_NT;
	c->flags_mask &= ~(uint64_t)RFLAGS_NT;
}

const char *quirk_explains(const struct side *tested, const struct block *b, const struct generated *gen,
                           const struct insn_result *judge, const struct insn_result *found)
{
	if (tested->run != guest_run || !on_pvm())
		return NULL;
	for (unsigned i = 0; i < sizeof(pvm) / sizeof(*pvm); i++)
		if (pvm[i].explains(b, gen, judge, found))
			return pvm[i].why;
	return NULL;
}

void quirks_print(void)
{
	printf("\nExcused where the guest runs on kvm_pvm:\n\n"
	       "NT is neither set nor compared: it is lost where KVM executes IRETQ, or handles a fault by itself\n");
	for (unsigned i = 0; i < sizeof(pvm) / sizeof(*pvm); i++)
		printf("%s\n", pvm[i].why);
}
