/* SPDX-License-Identifier: MIT */
#include "cpu/env.h"

#include <errno.h>

#include "cpu/breakpoint.h"

int env_fault(struct trap_env *env, uint8_t vector, uint32_t error)
{
	static const uint32_t with_error =
	    1u << VEC_DF | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF | 1u << VEC_AC;

	env->exc = (struct cpu_exception){
	    .vector = vector,
	    .has_error = with_error >> vector & 1,
	    .error = with_error >> vector & 1 ? error : 0,
	};
	return -EFAULT;
}

bool env_canonical(const struct trap_env *env, uint64_t addr)
{
	int unused_bits = env->cpu->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(addr << unused_bits) >> unused_bits) == addr;
}

unsigned env_rights(const struct trap_env *env)
{
	return env->cpu->cpl == 3 ? ACCESS_USER : 0;
}

static int check(struct trap_env *env, uint64_t addr, unsigned size)
{
	BUG_ON(size == 0 || size > CPU_ACCESS_MAX);
	if (!env_canonical(env, addr) || !env_canonical(env, addr + size - 1))
		return env_fault(env, VEC_GP, 0);
	return 0;
}

static int note_hits(struct trap_env *env, int err, uint64_t addr, unsigned size, unsigned access)
{
	if (err == 0 && !(access & (ACCESS_IMPLICIT | ACCESS_FETCH)))
		env->hits |= breakpoint_data(env->cpu, addr, size, access & ACCESS_WRITE);
	return err;
}

int env_read(struct trap_env *env, uint64_t addr, void *buf, unsigned size, unsigned access)
{
	int err = check(env, addr, size);

	if (err == 0)
		err = env->ops->read(env->ctx, gva_init(addr), buf, size, access, &env->exc);
	return note_hits(env, err, addr, size, access);
}

int env_write(struct trap_env *env, uint64_t addr, const void *buf, unsigned size, unsigned access)
{
	int err = check(env, addr, size);

	access |= ACCESS_WRITE;
	if (err == 0)
		err = env->ops->write(env->ctx, gva_init(addr), buf, size, access, &env->exc);
	return note_hits(env, err, addr, size, access);
}

int env_cmpxchg(struct trap_env *env, uint64_t addr, const void *expected, const void *desired, void *old,
                unsigned size, unsigned access)
{
	int err = check(env, addr, size);

	access |= ACCESS_WRITE;
	if (err == 0)
		err = env->ops->cmpxchg(env->ctx, gva_init(addr), expected, desired, old, size, access, &env->exc);
	return note_hits(env, err, addr, size, access);
}
