/* SPDX-License-Identifier: MIT */
#include "cpu/segment.h"

#include <errno.h>
#include <string.h>

#define TYPE_BYTE 5 /* of a descriptor: type, S, DPL, P */

bool segment_is_null(uint16_t selector) { return (selector & ~SELECTOR_RPL) == 0; }

static int dpl_of(const struct cpu_segment *s) { return (s->attributes & SEG_DPL) >> SEG_DPL_SHIFT; }

static bool is_code(const struct cpu_segment *s) { return s->attributes & SEG_S && s->attributes & SEG_TYPE_CODE; }

static bool is_writable_data(const struct cpu_segment *s)
{
	return (s->attributes & (SEG_S | SEG_TYPE_CODE | SEG_TYPE_RW)) == (SEG_S | SEG_TYPE_RW);
}

static int selector_fault(struct trap_env *env, uint8_t vector, uint16_t selector, uint32_t ext)
{
	return env_fault(env, vector, (selector & (SELECTOR_INDEX | SELECTOR_TI)) | ext);
}

/* Linear address of the descriptor, after the limit check. */
static int locate(struct trap_env *env, uint16_t selector, uint32_t ext, unsigned size, uint64_t *ret_addr)
{
	const struct cpu_segment *ldtr = &env->cpu->seg[SEG_LDTR];
	uint32_t offset = selector & SELECTOR_INDEX;
	uint64_t base = env->cpu->gdtr.base;
	uint32_t limit = env->cpu->gdtr.limit;

	if (selector & SELECTOR_TI) {
		if (!(ldtr->attributes & SEG_P))
			return selector_fault(env, VEC_GP, selector, ext);
		base = ldtr->base;
		limit = ldtr->limit;
	}
	if ((uint64_t)offset + size - 1 > limit)
		return selector_fault(env, VEC_GP, selector, ext);
	*ret_addr = base + offset;
	return 0;
}

static struct cpu_segment unpack(uint64_t low, uint16_t selector)
{
	struct cpu_segment s = {
		.base = (low >> 16 & 0xffffff) | (low >> 56) << 24,
		.limit = (uint32_t)((low & 0xffff) | (low >> 48 & 0xf) << 16),
		.selector = selector,
		.attributes = low >> 40 & SEG_ATTRIBUTES,
	};

	if (s.attributes & SEG_G)
		s.limit = s.limit << 12 | 0xfff;
	return s;
}

int segment_read(struct trap_env *env, uint16_t selector, uint32_t ext, bool wide, struct cpu_segment *ret_segment)
{
	uint64_t addr = 0, low, high;
	int err = locate(env, selector, ext, sizeof(low), &addr);

	if (err == 0)
		err = env_read(env, addr, &low, sizeof(low), ACCESS_IMPLICIT);
	if (err)
		return err;
	struct cpu_segment s = unpack(low, selector);

	if (wide && !(s.attributes & SEG_S)) {
		err = locate(env, selector, ext, 2 * sizeof(low), &addr);
		if (err == 0)
			err = env_read(env, addr + sizeof(low), &high, sizeof(high), ACCESS_IMPLICIT);
		if (err)
			return err;
		s.base |= high << 32;
	}
	*ret_segment = s;
	return 0;
}

/* Sets bits in the descriptor's type byte; the CPU does it locked, as another CPU may use the same table. */
static int set_type_bits(struct trap_env *env, struct cpu_segment *segment, uint8_t bits)
{
	uint8_t expected, desired, old = (uint8_t)segment->attributes;
	uint64_t addr = 0;
	int err;

	if ((segment->attributes & bits) == bits)
		return 0;
	err = locate(env, segment->selector, 0, sizeof(uint64_t), &addr);
	if (err)
		return err;
	do {
		expected = old;
		desired = expected | bits;
		err = env_cmpxchg(env, addr + TYPE_BYTE, &expected, &desired, &old, sizeof(old), ACCESS_IMPLICIT);
		if (err)
			return err;
	} while (old != expected);
	segment->attributes |= bits;
	return 0;
}

int segment_mark_accessed(struct trap_env *env, struct cpu_segment *segment)
{
	return set_type_bits(env, segment, SEG_TYPE_A);
}

int segment_mark_busy(struct trap_env *env, struct cpu_segment *segment)
{
	return set_type_bits(env, segment, SEG_TYPE_RW);
}

int segment_check_stack(struct trap_env *env, uint16_t selector, uint8_t cpl, struct cpu_segment *ret_segment)
{
	struct cpu_segment s;
	int err;

	if (segment_is_null(selector)) {
		if (cpl == 3 || (selector & SELECTOR_RPL) != cpl)
			return env_fault(env, VEC_GP, 0);
		*ret_segment = (struct cpu_segment){.selector = selector};
		return 0;
	}
	err = segment_read(env, selector, 0, false, &s);
	if (err)
		return err;
	if ((selector & SELECTOR_RPL) != cpl || dpl_of(&s) != cpl || !is_writable_data(&s))
		return selector_fault(env, VEC_GP, selector, 0);
	if (!(s.attributes & SEG_P))
		return selector_fault(env, VEC_SS, selector, 0);
	*ret_segment = s;
	return 0;
}

static int load_stack(struct trap_env *env, uint16_t selector)
{
	struct cpu_segment s;
	int err = segment_check_stack(env, selector, env->cpu->cpl, &s);

	if (err == 0 && s.attributes & SEG_P)
		err = segment_mark_accessed(env, &s);
	if (err == 0)
		env->cpu->seg[SEG_SS] = s;
	return err;
}

int segment_load(struct trap_env *env, enum segment which, uint16_t selector)
{
	int rpl = selector & SELECTOR_RPL;
	struct cpu_segment s;
	int err;

	BUG_ON(which == SEG_CS || which > SEG_GS);
	if (which == SEG_SS)
		return load_stack(env, selector);
	if (segment_is_null(selector)) {
		/* Of FS and GS it survives on some of AMD's CPUs, APM2 4.5.3. */
		if (env->ops->limits.null_clears_base)
			env->cpu->seg[which].base = 0;
		env->cpu->seg[which].selector = selector;
		env->cpu->seg[which].attributes = 0;
		return 0;
	}
	err = segment_read(env, selector, 0, false, &s);
	if (err)
		return err;
	bool readable = s.attributes & SEG_S && (!is_code(&s) || s.attributes & SEG_TYPE_RW);
	bool conforming = is_code(&s) && s.attributes & SEG_TYPE_CE;

	if (!readable || (!conforming && (dpl_of(&s) < rpl || dpl_of(&s) < env->cpu->cpl)))
		return selector_fault(env, VEC_GP, selector, 0);
	if (!(s.attributes & SEG_P))
		return selector_fault(env, VEC_NP, selector, 0);
	err = segment_mark_accessed(env, &s);
	if (err == 0)
		env->cpu->seg[which] = s;
	return err;
}

int segment_check_code(struct trap_env *env, uint16_t selector, bool is_return, struct cpu_segment *ret_segment)
{
	int rpl = selector & SELECTOR_RPL, cpl = env->cpu->cpl;
	struct cpu_segment s;
	bool privilege_ok;
	int err;

	if (segment_is_null(selector))
		return env_fault(env, VEC_GP, 0);
	err = segment_read(env, selector, 0, false, &s);
	if (err)
		return err;
	bool conforming = s.attributes & SEG_TYPE_CE;

	if (is_return)
		privilege_ok = rpl >= cpl && (rpl == 0 || rpl == 3) &&
			       (conforming ? dpl_of(&s) <= rpl : dpl_of(&s) == rpl);
	else
		privilege_ok = conforming ? dpl_of(&s) <= cpl : dpl_of(&s) == cpl && rpl <= cpl;
	if (!(s.attributes & SEG_S) && !is_return &&
	    ((s.attributes & SEG_TYPE) == SEG_TYPE_CALL_GATE || (s.attributes & SEG_TYPE) == SEG_TYPE_TSS))
		return -EOPNOTSUPP;
	if (!is_code(&s) || !privilege_ok)
		return selector_fault(env, VEC_GP, selector, 0);
	if (!(s.attributes & SEG_P))
		return selector_fault(env, VEC_NP, selector, 0);
	if (!(s.attributes & SEG_L))
		return -EOPNOTSUPP;
	if (s.attributes & SEG_DB)
		return selector_fault(env, VEC_GP, selector, 0);
	*ret_segment = s;
	return 0;
}

void segment_drop_privileged(struct cpu_state *cpu)
{
	static const enum segment data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

	for (unsigned i = 0; i < sizeof(data) / sizeof(*data); i++) {
		struct cpu_segment *s = &cpu->seg[data[i]];

		if (s->attributes & SEG_P && dpl_of(s) < 3 && !(is_code(s) && s->attributes & SEG_TYPE_CE)) {
			s->selector = 0;
			s->attributes = 0;
		}
	}
}

static struct cpu_segment flat(uint16_t selector, uint8_t dpl, uint16_t attributes)
{
	return (struct cpu_segment){
		.selector = selector,
		.limit = UINT32_MAX,
		.attributes = attributes | dpl << SEG_DPL_SHIFT | SEG_S | SEG_P | SEG_G | SEG_TYPE_A | SEG_TYPE_RW,
	};
}

struct cpu_segment segment_flat_code(uint16_t selector, uint8_t dpl)
{
	return flat(selector, dpl, SEG_TYPE_CODE | SEG_L);
}

struct cpu_segment segment_flat_data(uint16_t selector, uint8_t dpl) { return flat(selector, dpl, SEG_DB); }
