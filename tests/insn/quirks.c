/* SPDX-License-Identifier: MIT */
/*
 * What hosts do to a program before Gnomon hears of it, and where a judge is wrong itself. Each entry tells one kind of
 * case, or of difference, as narrowly as it can be told.
 */
#include <gnomon/x86.h>
#include <stdio.h>

#include "../host_kind.h"
#include "quirk.h"

#define RFLAGS_NT      (1 << 14)
#define RFLAGS_RF      (1 << 16)
#define CANONICAL_BITS 48
#define M(name)        ZYDIS_MNEMONIC_##name

bool quirk_decode(const struct generated *gen, ZydisDecodedInstruction *z, ZydisDecodedOperand *op)
{
	return gen->decodes && ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, gen->bytes, INSN_MAX, z, op));
}

bool quirk_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << (64 - CANONICAL_BITS)) >> (64 - CANONICAL_BITS)) == address;
}

bool quirk_has_mmx(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	for (unsigned i = 0; i < z->operand_count_visible; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(op[i].reg.value) == ZYDIS_REGCLASS_MMX)
			return true;
	return false;
}

static bool is_call(const struct pair *p)
{
	return p->gen->mnemonic == M(CALL) && p->want->vector == VEC_GP && p->got->vector == VEC_GP &&
	       p->want->rip == p->got->rip && p->want->error == p->got->error;
}

static const struct quirk anywhere[] = {
    {"CALL to an address that is not canonical: Intel's CPUs have written the return address when they find out", false,
     NULL, is_call},
};

static const struct quirks quirks_anywhere = {anywhere, sizeof(anywhere) / sizeof(*anywhere)};

/* The quirks of this host; kvm_pvm's concern only guests. */
static const struct quirks *quirks_here(const struct side *tested)
{
	static const struct quirks none;

	if (on_tcg())
		return &quirks_of_tcg;
	if (on_bochs())
		return &quirks_of_bochs;
	return tested->run == guest_run && on_pvm() ? &quirks_of_pvm : &none;
}

bool quirk_leaves_out(const struct side *tested, const struct generated *gen)
{
	const struct quirks *here = quirks_here(tested);

	for (unsigned i = 0; i < here->count; i++)
		if (here->quirk[i].leaves_out && here->quirk[i].leaves_out(gen))
			return true;
	return false;
}

/* A page fault that the program does not see, KVM's or Gnomon's, sets RF for the rest of the string; only AMD's CPUs keep it. */
static bool has_rf_of_faults(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return !cpu_is_intel() && quirk_decode(gen, &z, op) &&
	       (z.meta.category == ZYDIS_CATEGORY_STRINGOP || z.meta.category == ZYDIS_CATEGORY_IOSTRINGOP);
}

void quirk_mask(const struct side *tested, struct generated *gen)
{
	struct insn_case *c = &gen->c;

	if (tested->run == guest_run && on_pvm() && has_rf_of_faults(gen))
		c->flags_mask &= ~(uint64_t)RFLAGS_RF;
	if (on_tcg())
		c->flags_mask &= ~(uint64_t)RFLAGS_RF;
	if (tested->run == guest_run && on_pvm()) {
		c->rflags &= ~(uint64_t)RFLAGS_NT;
		c->flags_mask &= ~(uint64_t)RFLAGS_NT;
	}
}

static const char *find_excuse(const struct quirks *in, const struct side *tested, const struct pair *p)
{
	for (unsigned i = 0; i < in->count; i++) {
		const struct quirk *q = &in->quirk[i];

		if (q->excuses && (!q->nested_only || tested->judge == JUDGE_NESTED) && q->excuses(p))
			return q->why;
	}
	return NULL;
}

const char *quirk_excuses(const struct side *tested, const struct generated *gen, const struct insn_result *judge,
                          const struct insn_result *found)
{
	const struct pair p = {gen, &judge->trapped, &found->trapped};
	const char *why = find_excuse(quirks_here(tested), tested, &p);

	return why ? why : find_excuse(&quirks_anywhere, tested, &p);
}

static void print_list(const struct quirks *of)
{
	const struct quirk *q = of->quirk;

	for (unsigned i = 0; i < of->count; i++)
		printf("%s%s\n", q[i].why,
		       q[i].leaves_out    ? ""
		       : q[i].nested_only ? " (such a difference is excused in nested mode)"
		                          : " (such a difference is excused)");
}

void quirks_print(void)
{
	printf("\nOn any host:\n\n");
	print_list(&quirks_anywhere);
	printf(
	    "\nWhere a guest runs on kvm_pvm:\n\n"
	    "NT is neither set nor compared: it is lost where KVM executes IRETQ, or handles a fault by itself\n"
	    "RF is not compared of a string instruction on AMD: a page fault that the program does not see sets it\n");
	print_list(&quirks_of_pvm);
	printf("\nOn QEMU's TCG:\n\nRF is not compared: QEMU never sets it\n");
	print_list(&quirks_of_tcg);
	printf("\nIn Bochs:\n\n");
	print_list(&quirks_of_bochs);
}
