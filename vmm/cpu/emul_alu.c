/* SPDX-License-Identifier: MIT */
/* Results and flags of integer operations, APM1 3.3. Flags that an operation leaves undefined are kept. */
#include "cpu/emul.h"

#define FLAGS_SZP  (RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF)
#define FLAGS_ALL6 (FLAGS_SZP | RFLAGS_CF | RFLAGS_AF | RFLAGS_OF)

static uint64_t sign_bit(const struct alu *a) { return UINT64_C(1) << (a->bits - 1); }

static uint64_t szp(const struct alu *a)
{
	return (a->result & sign_bit(a) ? RFLAGS_SF : 0) | (a->result == 0 ? RFLAGS_ZF : 0) |
	       (__builtin_parity(a->result & 0xff) ? 0 : RFLAGS_PF);
}

static void set_flags(struct alu *a, uint64_t which, uint64_t value)
{
	a->rflags = (a->rflags & ~which) | (value & which);
}

static void add(struct alu *a, unsigned carry, uint64_t which)
{
	uint64_t mask = emul_mask(a->bits), dst = a->dst & mask, src = a->src & mask;
	uint64_t flags;

	a->result = (dst + src + carry) & mask;
	flags = szp(a);
	if (carry ? a->result <= dst : a->result < dst)
		flags |= RFLAGS_CF;
	if ((dst ^ src ^ a->result) & RFLAGS_AF)
		flags |= RFLAGS_AF;
	if ((dst ^ a->result) & (src ^ a->result) & sign_bit(a))
		flags |= RFLAGS_OF;
	set_flags(a, which, flags);
}

static void sub(struct alu *a, unsigned borrow, uint64_t which)
{
	uint64_t mask = emul_mask(a->bits), dst = a->dst & mask, src = a->src & mask;
	uint64_t flags;

	a->result = (dst - src - borrow) & mask;
	flags = szp(a);
	if (borrow ? dst <= src : dst < src)
		flags |= RFLAGS_CF;
	if ((dst ^ src ^ a->result) & RFLAGS_AF)
		flags |= RFLAGS_AF;
	if ((dst ^ src) & (dst ^ a->result) & sign_bit(a))
		flags |= RFLAGS_OF;
	set_flags(a, which, flags);
}

static void logic(struct alu *a, uint64_t result)
{
	a->result = result & emul_mask(a->bits);
	set_flags(a, FLAGS_SZP | RFLAGS_CF | RFLAGS_OF, szp(a));
}

void alu_add(struct alu *a) { add(a, 0, FLAGS_ALL6); }
void alu_adc(struct alu *a) { add(a, a->rflags & RFLAGS_CF, FLAGS_ALL6); }
void alu_sub(struct alu *a) { sub(a, 0, FLAGS_ALL6); }
void alu_sbb(struct alu *a) { sub(a, a->rflags & RFLAGS_CF, FLAGS_ALL6); }
void alu_and(struct alu *a) { logic(a, a->dst & a->src); }
void alu_or(struct alu *a) { logic(a, a->dst | a->src); }
void alu_xor(struct alu *a) { logic(a, a->dst ^ a->src); }
void alu_not(struct alu *a) { a->result = ~a->dst & emul_mask(a->bits); }

/* inc and dec leave CF alone. */
void alu_inc(struct alu *a)
{
	a->src = 1;
	add(a, 0, FLAGS_ALL6 & ~RFLAGS_CF);
}

void alu_dec(struct alu *a)
{
	a->src = 1;
	sub(a, 0, FLAGS_ALL6 & ~RFLAGS_CF);
}

void alu_neg(struct alu *a)
{
	a->src = a->dst;
	a->dst = 0;
	sub(a, 0, FLAGS_ALL6);
}

/* The bit operations take the bit's number modulo the width; only CF is defined. */
static uint64_t bit_of(const struct alu *a) { return UINT64_C(1) << (a->src & (a->bits - 1)); }

void alu_bt(struct alu *a)
{
	a->result = a->dst;
	set_flags(a, RFLAGS_CF, a->dst & bit_of(a) ? RFLAGS_CF : 0);
}

void alu_bts(struct alu *a)
{
	alu_bt(a);
	a->result = a->dst | bit_of(a);
}

void alu_btr(struct alu *a)
{
	alu_bt(a);
	a->result = a->dst & ~bit_of(a);
}

void alu_btc(struct alu *a)
{
	alu_bt(a);
	a->result = a->dst ^ bit_of(a);
}
