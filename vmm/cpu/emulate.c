/* SPDX-License-Identifier: MIT */
#include "cpu/emulate.h"

#include <errno.h>
#include <string.h>

#include "cpu/emul.h"

/* Bits whose change alters what translations are or grant. */
#define CR0_MMU  (CR0_PG | CR0_WP)
#define CR4_MMU  (CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP)
#define EFER_MMU (EFER_LME | EFER_LMA | EFER_NXE)

const char *emul_outcome_describe(enum emul_outcome outcome)
{
	static const char *const text[EMUL_OUTCOME_COUNT] = {
	    [EMUL_DONE] = "the instruction was executed",
	    [EMUL_EXCEPTION] = "the instruction raised an exception",
	    [EMUL_HALT] = "the CPU waits for an interrupt",
	    [EMUL_OUTSIDE_MEMORY] = "the instruction's access leads outside the guest's memory",
	    [EMUL_UNKNOWN] = "the emulator does not know the instruction",
	    [EMUL_UNSUPPORTED] = "what the instruction leads to does not exist here",
	    [EMUL_HOST_ERROR] = "the host failed during the instruction",
	};

	return text[outcome];
}

static int unknown(struct emul *e, const char *why)
{
	e->why = why;
	return -ENOEXEC;
}

#define M(mnemonic) ZYDIS_MNEMONIC_##mnemonic

/* Every instruction that is emulated. */
static const struct emul_handler handlers[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
    /* moves */
    [M(MOV)] = {.run = emul_mov},
    [M(MOVNTI)] = {.run = emul_mov},
    [M(MOVZX)] = {.run = emul_mov},
    [M(MOVSX)] = {.run = emul_movsx},
    [M(MOVSXD)] = {.run = emul_movsx},
    [M(LSS)] = {.run = emul_load_far},
    [M(LFS)] = {.run = emul_load_far},
    [M(LGS)] = {.run = emul_load_far},
    [M(XCHG)] = {.run = emul_xchg},
    [M(MOVSB)] = {.run = emul_movs},
    [M(MOVSW)] = {.run = emul_movs},
    [M(MOVSD)] = {.run = emul_movs},
    [M(MOVSQ)] = {.run = emul_movs},
    [M(STOSB)] = {.run = emul_stos},
    [M(STOSW)] = {.run = emul_stos},
    [M(STOSD)] = {.run = emul_stos},
    [M(STOSQ)] = {.run = emul_stos},
    [M(LODSB)] = {.run = emul_lods},
    [M(LODSW)] = {.run = emul_lods},
    [M(LODSD)] = {.run = emul_lods},
    [M(LODSQ)] = {.run = emul_lods},
    [M(SETO)] = {.run = emul_setcc},
    [M(SETNO)] = {.run = emul_setcc},
    [M(SETB)] = {.run = emul_setcc},
    [M(SETNB)] = {.run = emul_setcc},
    [M(SETZ)] = {.run = emul_setcc},
    [M(SETNZ)] = {.run = emul_setcc},
    [M(SETBE)] = {.run = emul_setcc},
    [M(SETNBE)] = {.run = emul_setcc},
    [M(SETS)] = {.run = emul_setcc},
    [M(SETNS)] = {.run = emul_setcc},
    [M(SETP)] = {.run = emul_setcc},
    [M(SETNP)] = {.run = emul_setcc},
    [M(SETL)] = {.run = emul_setcc},
    [M(SETNL)] = {.run = emul_setcc},
    [M(SETLE)] = {.run = emul_setcc},
    [M(SETNLE)] = {.run = emul_setcc},
    [M(CMOVO)] = {.run = emul_cmovcc},
    [M(CMOVNO)] = {.run = emul_cmovcc},
    [M(CMOVB)] = {.run = emul_cmovcc},
    [M(CMOVNB)] = {.run = emul_cmovcc},
    [M(CMOVZ)] = {.run = emul_cmovcc},
    [M(CMOVNZ)] = {.run = emul_cmovcc},
    [M(CMOVBE)] = {.run = emul_cmovcc},
    [M(CMOVNBE)] = {.run = emul_cmovcc},
    [M(CMOVS)] = {.run = emul_cmovcc},
    [M(CMOVNS)] = {.run = emul_cmovcc},
    [M(CMOVP)] = {.run = emul_cmovcc},
    [M(CMOVNP)] = {.run = emul_cmovcc},
    [M(CMOVL)] = {.run = emul_cmovcc},
    [M(CMOVNL)] = {.run = emul_cmovcc},
    [M(CMOVLE)] = {.run = emul_cmovcc},
    [M(CMOVNLE)] = {.run = emul_cmovcc},
    /* arithmetic and bits */
    [M(ADD)] = {.run = emul_modify, .alu = alu_add},
    [M(ADC)] = {.run = emul_modify, .alu = alu_adc},
    [M(SUB)] = {.run = emul_modify, .alu = alu_sub},
    [M(SBB)] = {.run = emul_modify, .alu = alu_sbb},
    [M(AND)] = {.run = emul_modify, .alu = alu_and},
    [M(OR)] = {.run = emul_modify, .alu = alu_or},
    [M(XOR)] = {.run = emul_modify, .alu = alu_xor},
    [M(INC)] = {.run = emul_modify, .alu = alu_inc},
    [M(DEC)] = {.run = emul_modify, .alu = alu_dec},
    [M(NEG)] = {.run = emul_modify, .alu = alu_neg},
    [M(NOT)] = {.run = emul_modify, .alu = alu_not},
    [M(CMP)] = {.run = emul_compare, .alu = alu_sub},
    [M(TEST)] = {.run = emul_compare, .alu = alu_and},
    [M(BT)] = {.run = emul_bit_test},
    [M(BTS)] = {.run = emul_bit, .alu = alu_bts},
    [M(BTR)] = {.run = emul_bit, .alu = alu_btr},
    [M(BTC)] = {.run = emul_bit, .alu = alu_btc},
    [M(XADD)] = {.run = emul_xadd},
    [M(CMPXCHG)] = {.run = emul_cmpxchg_insn},
    [M(CMPXCHG8B)] = {.run = emul_cmpxchg_pair},
    [M(CMPXCHG16B)] = {.run = emul_cmpxchg_pair},
    /* stack and control flow */
    [M(PUSH)] = {.run = emul_push_insn},
    [M(POP)] = {.run = emul_pop_insn},
    [M(PUSHF)] = {.run = emul_pushf},
    [M(PUSHFQ)] = {.run = emul_pushf},
    [M(POPF)] = {.run = emul_popf},
    [M(POPFQ)] = {.run = emul_popf},
    [M(CALL)] = {.run = emul_call},
    [M(JMP)] = {.run = emul_jmp},
    [M(RET)] = {.run = emul_ret},
    [M(LEAVE)] = {.run = emul_leave},
    [M(IRET)] = {.run = emul_iret},
    [M(IRETD)] = {.run = emul_iret},
    [M(IRETQ)] = {.run = emul_iret},
    [M(INT)] = {.run = emul_int},
    [M(INT3)] = {.run = emul_int},
    [M(INT1)] = {.run = emul_int1},
    [M(SYSCALL)] = {.run = emul_syscall},
    [M(SYSRET)] = {.run = emul_sysret},
    [M(SYSENTER)] = {.run = emul_sysenter},
    [M(SYSEXIT)] = {.run = emul_sysexit},
    /* ports */
    [M(IN)] = {.run = emul_in},
    [M(OUT)] = {.run = emul_out},
    [M(INSB)] = {.run = emul_ins},
    [M(INSW)] = {.run = emul_ins},
    [M(INSD)] = {.run = emul_ins},
    [M(OUTSB)] = {.run = emul_outs},
    [M(OUTSW)] = {.run = emul_outs},
    [M(OUTSD)] = {.run = emul_outs},
    [M(INVPCID)] = {.run = emul_ud}, /* no feature that CPUID offers */
    [M(UD0)] = {.run = emul_ud},
    [M(UD1)] = {.run = emul_ud},
    [M(UD2)] = {.run = emul_ud},
    /* privileged and sensitive; mov to and from control and debug registers is among the moves */
    [M(HLT)] = {.run = emul_hlt, .cpl0_only = true},
    [M(CLI)] = {.run = emul_cli},
    [M(STI)] = {.run = emul_sti},
    [M(CLTS)] = {.run = emul_clts, .cpl0_only = true},
    [M(STAC)] = {.run = emul_stac},
    [M(CLAC)] = {.run = emul_clac},
    [M(INVD)] = {.run = emul_nothing, .cpl0_only = true},
    [M(WBINVD)] = {.run = emul_nothing, .cpl0_only = true},
    [M(INVLPG)] = {.run = emul_invlpg, .cpl0_only = true},
    [M(LGDT)] = {.run = emul_load_table, .cpl0_only = true},
    [M(LIDT)] = {.run = emul_load_table, .cpl0_only = true},
    [M(SGDT)] = {.run = emul_store_table},
    [M(SIDT)] = {.run = emul_store_table},
    [M(LLDT)] = {.run = emul_lldt, .cpl0_only = true},
    [M(LTR)] = {.run = emul_ltr, .cpl0_only = true},
    [M(SLDT)] = {.run = emul_store_selector},
    [M(STR)] = {.run = emul_store_selector},
    [M(LMSW)] = {.run = emul_lmsw, .cpl0_only = true},
    [M(SMSW)] = {.run = emul_smsw},
    [M(RDMSR)] = {.run = emul_rdmsr, .cpl0_only = true},
    [M(WRMSR)] = {.run = emul_wrmsr, .cpl0_only = true},
    [M(RDPMC)] = {.run = emul_rdpmc},
    [M(RDTSC)] = {.run = emul_rdtsc},
    [M(RDTSCP)] = {.run = emul_rdtsc},
    [M(SWAPGS)] = {.run = emul_swapgs, .cpl0_only = true},
    [M(RDFSBASE)] = {.run = emul_fsgsbase},
    [M(RDGSBASE)] = {.run = emul_fsgsbase},
    [M(WRFSBASE)] = {.run = emul_fsgsbase},
    [M(WRGSBASE)] = {.run = emul_fsgsbase},
    [M(XGETBV)] = {.run = emul_xgetbv},
    [M(XSETBV)] = {.run = emul_xsetbv},
};

/* Of CPL 0. Zydis has an attribute for it, which AMD's own instructions lack. */
static bool is_privileged(const struct insn *insn)
{
	switch (insn->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_SVM:
	case ZYDIS_ISA_EXT_SNP:
	case ZYDIS_ISA_EXT_AMD_INVLPGB:
		return true;
	default:
		return insn->z.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED;
	}
}

/* SSE's movsd shares its mnemonic with the string instruction; vector registers are not in the state. */
static bool uses_vectors(const struct insn *insn)
{
	for (unsigned i = 0; i < insn->z.operand_count_visible; i++) {
		if (insn->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && insn->op[i].reg.value >= ZYDIS_REGISTER_ST0 &&
		    insn->op[i].reg.value <= ZYDIS_REGISTER_ZMM31)
			return true;
	}
	return false;
}

static int execute(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;

	if (!(cpu->efer & EFER_LMA) || !(cpu->seg[SEG_CS].attributes & SEG_L))
		return emul_unsupported(e, "code that is not 64-bit");
	int err = decode_insn(&e->env, &e->insn);

	if (err == -ENOEXEC)
		return unknown(e, "bytes that are no known instruction");
	if (err)
		return err;
	e->handler = &handlers[e->insn.z.mnemonic];
	if (uses_vectors(&e->insn))
		return unknown(e, "an instruction on vector registers");
	if (e->handler->run == NULL)
		return unknown(e, "an instruction that the emulator does not know");
	if (e->handler->cpl0_only && cpu->cpl != 0)
		return env_fault(&e->env, VEC_GP, 0);
	cpu->interrupt_shadow = false;
	cpu->halted = false;
	cpu->rip += e->insn.length;
	return e->handler->run(e);
}

/* Makes the copy real, and tells the MMU what changed. */
static void commit(struct emul *e, struct cpu_state *state)
{
	const struct cpu_state *next = e->env.cpu;
	const struct cpu_ops *ops = e->env.ops;
	uint64_t cr0 = (state->cr0 ^ next->cr0) & CR0_MMU, cr4 = (state->cr4 ^ next->cr4) & CR4_MMU;
	uint64_t efer = (state->efer ^ next->efer) & EFER_MMU, old_cr3 = state->cr3;

	*state = *next;
	if (cr0 || cr4 || efer)
		ops->mmu_changed(e->env.ctx, cr0, cr4, efer);
	if (e->notices & NOTICE_CR3)
		ops->cr3_loaded(e->env.ctx, old_cr3, state->cr3);
	if (e->notices & NOTICE_INVLPG)
		ops->invlpg(e->env.ctx, gva_init(e->invlpg_addr));
}

/* Keeps what an interrupted rep has done; RIP stays at it. */
static void commit_elements(struct emul *e, struct cpu_state *state)
{
	if (!e->keep)
		return;
	state->gpr[GPR_RAX] = e->env.cpu->gpr[GPR_RAX];
	state->gpr[GPR_RCX] = e->env.cpu->gpr[GPR_RCX];
	state->gpr[GPR_RSI] = e->env.cpu->gpr[GPR_RSI];
	state->gpr[GPR_RDI] = e->env.cpu->gpr[GPR_RDI];
}

static enum emul_outcome finish(struct emul *e, struct cpu_state *state, struct cpu_exception *ret_exc)
{
	const uint64_t dr6 = e->env.hits | (state->rflags & RFLAGS_TF && !e->no_trap ? DR6_BS : 0);
	struct cpu_state *next = e->env.cpu;

	if (e->repeat)
		next->rip = state->rip;
	/* Between two elements AMD's CPUs leave RF; Intel's set it for a trap, SDM vol. 3 17.3.1.1. */
	if (!e->keep_rf && !(e->repeat && !e->env.ops->limits.intel))
		next->rflags &= ~(uint64_t)RFLAGS_RF;
	if (e->repeat && dr6 && e->env.ops->limits.intel)
		next->rflags |= RFLAGS_RF;
	commit(e, state);
	if (dr6 || e->int1) {
		*ret_exc = (struct cpu_exception){.vector = VEC_DB, .dr6 = dr6};
		return EMUL_EXCEPTION;
	}
	return state->halted ? EMUL_HALT : EMUL_DONE;
}

enum emul_outcome emulate_insn(struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                               struct emul_result *ret_result)
{
	struct cpu_state next = *state;
	struct emul e;
	int err;

	/* Not the whole: the decoder's operands are big, and written before they are read. */
	memset(&e.env, 0, sizeof(e.env));
	memset(&e.handler, 0, sizeof(e) - offsetof(struct emul, handler));
	e.insn.length = 0;
	e.insn.decoded = false;
	e.env = (struct trap_env){.cpu = &next, .ops = ops, .ctx = ctx};
	err = execute(&e);
	*ret_result = (struct emul_result){.why = e.why, .error = err, .length = e.insn.length};
	memcpy(ret_result->bytes, e.insn.bytes, e.insn.length);
	if (err == 0)
		return finish(&e, state, &ret_result->exc);
	commit_elements(&e, state);
	switch (err) {
	case -EFAULT:
		ret_result->exc = e.env.exc;
		ret_result->fetch = !e.insn.decoded && e.env.exc.vector == VEC_PF;
		return EMUL_EXCEPTION;
	case -ENXIO:
		return EMUL_OUTSIDE_MEMORY;
	case -ENOEXEC:
		ret_result->undefined = !e.insn.decoded;
		if (e.insn.decoded) {
			ret_result->fpu = insn_fpu(&e.insn);
			ret_result->privileged = is_privileged(&e.insn);
		}
		return EMUL_UNKNOWN;
	case -EOPNOTSUPP:
		ret_result->unsupported = true;
		return EMUL_UNSUPPORTED;
	default:
		return EMUL_HOST_ERROR;
	}
}
