/* SPDX-License-Identifier: MIT */
/* Who can tell what a case must do; and what memory it wants, on which that depends. */
#include <cpuid.h>
#include <gnomon/x86.h>

#include "draft.h"

#define M(name)     ZYDIS_MNEMONIC_##name
#define TABLES_END  0x200 /* no descriptor table of Linux or the guest reaches so far */
#define PATCH_BYTES 64
#define FRAMES      1024 /* bytes that ENTER copies, twice as many and more */

const char exclusions_of_cases[] =
    "INT 0x80 (native): a system call of the host\n"
    "a selector that names a descriptor (native): Linux has others than the guest; 0x2b, 0x33 (nested): guests must "
    "not use them\n"
    "MOV from CS, SS (native, nested): on kvm_pvm they show the host's\n"
    "an address at the end of the lower half (native): where the host's addresses have 57 bits\n"
    "ENTER that copies what it pushes (native, nested): where it is restarted after a page fault shows\n"
    "a locked access to two cache lines (native): where the CPU raises #AC for that (split_lock_detect)\n"
    "SGDT, SIDT, SLDT, SMSW, STR (native, nested): where the CPU has no UMIP, they show the stub's in shadow mode\n"
    "another CR0 or CR4 (native): such a case is run with Linux's\n"
    "VEX, EVEX, XOP, XSAVE (native): where the guest's CPU has no CR4.OSXSAVE for its programs\n";

static uint8_t read_byte(const struct draft *t, uint64_t at)
{
	const struct insn_case *c = &t->out->c;

	if (c->patch_at && at - c->patch_at < PATCH_BYTES)
		return ((const uint8_t *)c->patch)[at - c->patch_at];
	return at - WINDOW_LOW < TEST_PAGES * PAGE_BYTES ? t->g->pages[(at - WINDOW_LOW) / PAGE_BYTES][at % PAGE_BYTES]
	                                                 : 0;
}

uint64_t read_word(const struct draft *t, uint64_t at)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value |= (uint64_t)read_byte(t, at + i) << 8 * i;
	return value;
}

enum wants what_it_wants(const struct draft *t)
{
	const ZydisDecodedOperand *to = &t->op[0];

	switch (t->z.meta.branch_type) {
	case ZYDIS_BRANCH_TYPE_FAR:
		return WANTS_SELECTORS;
	case ZYDIS_BRANCH_TYPE_NEAR:
		return WANTS_CODE;
	default:
		break;
	}
	if (t->z.mnemonic == M(IRET) || t->z.mnemonic == M(IRETD) || t->z.mnemonic == M(IRETQ))
		return WANTS_SELECTORS;
	switch (t->z.mnemonic) {
	case M(LSS):
	case M(LFS):
	case M(LGS):
	case M(LAR):
	case M(LSL):
	case M(VERR):
	case M(VERW):
		return WANTS_SELECTORS;
	default:
		break;
	}
	if (to->type == ZYDIS_OPERAND_TYPE_REGISTER && to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
	    ZydisRegisterGetClass(to->reg.value) == ZYDIS_REGCLASS_SEGMENT)
		return WANTS_SELECTORS;
	return WANTS_DATA;
}

/* 1: a descriptor may be found by it; 2: one that guests must not name. */
static unsigned judge_selector(uint16_t selector)
{
	if (selector & 4 || selector >= TABLES_END || !(selector & ~3u))
		return 0;
	return (selector & ~3u) == 0x28 || (selector & ~3u) == 0x30 ? 3 : 1;
}

static void not_judged(struct generated *out, unsigned judges, const char *why)
{
	if (!judges)
		return;
	out->not_judged_by |= judges;
	out->why_not = why;
}

static void judge_selectors(struct draft *t)
{
	static const char why[] = "a selector that names a descriptor";
	unsigned found = 0;

	if (what_it_wants(t) != WANTS_SELECTORS)
		return;
	for (unsigned i = 0; i < t->z.operand_count; i++) {
		const ZydisDecodedOperand *op = &t->op[i];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && gpr_number(op->reg.value) >= 0)
			found |= judge_selector(t->out->c.gpr[gpr_number(op->reg.value)]);
	}
	for (unsigned i = 0; i < 40; i++) {
		found |= t->operand ? judge_selector(read_word(t, t->operand + i)) : 0;
		found |= t->stack ? judge_selector(read_word(t, t->stack + i)) : 0;
	}
	not_judged(t->out, (found & 1 ? JUDGE_NATIVE : 0) | (found & 2 ? JUDGE_NESTED : 0), why);
}

/* ENTER with a level copies frames; where it reads what it has pushed, a restart after a page fault shows. */
static bool copies_what_it_pushes(const struct draft *t)
{
	const uint64_t *gpr = t->out->c.gpr;

	return t->z.mnemonic == M(ENTER) && t->z.raw.imm[1].value.u % 32 > 1 &&
	       window_address(gpr[4]) - window_address(gpr[5]) + FRAMES / 2 < FRAMES;
}

static bool has_umip(void)
{
	uint32_t a, b, c = 0, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c >> 2 & 1;
}

static bool is_stopped_by_umip(uint16_t mnemonic)
{
	return mnemonic == M(SGDT) || mnemonic == M(SIDT) || mnemonic == M(SLDT) || mnemonic == M(SMSW) ||
	       mnemonic == M(STR);
}

void choose_judges(struct draft *t)
{
	struct generated *out = t->out;
	const struct exclusion *e = exclusion_find(t->z.mnemonic);

	if (e)
		not_judged(out, e->judges, e->why);
	judge_selectors(t);
	if (t->z.mnemonic == M(INT) && t->z.raw.imm[0].value.u == 0x80)
		not_judged(out, JUDGE_NATIVE, "a system call of the host");
	for (unsigned i = 0; i < t->z.operand_count_visible; i++)
		if (i > 0 && t->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (t->op[i].reg.value == ZYDIS_REGISTER_CS || t->op[i].reg.value == ZYDIS_REGISTER_SS))
			not_judged(out, JUDGE_NATIVE | JUDGE_NESTED, "CS and SS as read");
	if (is_stopped_by_umip(t->z.mnemonic) && !has_umip())
		not_judged(out, JUDGE_NATIVE | JUDGE_NESTED, "shows the CPU's own descriptors or CR0, without UMIP");
	if (copies_what_it_pushes(t))
		not_judged(out, JUDGE_NATIVE | JUDGE_NESTED, "ENTER, restarted");
	out->split_lock = t->operand % 64 > 32 && (t->z.attributes & ZYDIS_ATTRIB_HAS_LOCK || t->z.mnemonic == M(XCHG));
	out->wide =
	    t->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && t->z.encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW;
	out->wide |= t->z.meta.isa_ext == ZYDIS_ISA_EXT_XSAVE || t->z.meta.isa_ext == ZYDIS_ISA_EXT_XSAVEC ||
	             t->z.meta.isa_ext == ZYDIS_ISA_EXT_XSAVES || t->z.meta.isa_ext == ZYDIS_ISA_EXT_XSAVEOPT;
}
