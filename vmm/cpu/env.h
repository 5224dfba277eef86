/* SPDX-License-Identifier: MIT */
/*
 * The virtual CPU that is being worked on, the machine around it, and the exception that the
 * work ran into. Functions of vmm/cpu that take it return 0; -EFAULT with env->exc filled; -ENXIO
 * (no memory there); or a host's -errno. They change env->cpu freely: the outermost caller
 * works on a copy and keeps it only after 0.
 */
#ifndef GNOMON_CPU_ENV_H
#define GNOMON_CPU_ENV_H

#include "base/log.h"
#include "cpu/ops.h"
#include "cpu/state.h"

struct trap_env {
	struct cpu_state *cpu;
	const struct cpu_ops *ops;
	void *ctx;
	struct cpu_exception exc;
	uint64_t hits; /* data breakpoints that its accesses met, as DR6 has them */
};

/* Raises `vector`, with `error` where the vector has an error code. Returns -EFAULT. */
int must_check env_fault(struct trap_env *env, uint8_t vector, uint32_t error);

/* True if `addr` is canonical under the present CR4.LA57, APM2 1.1.3. */
bool env_canonical(const struct trap_env *env, uint64_t addr);

/* ACCESS_USER at virtual CPL 3, else 0: the rights of an access by the instruction itself. */
unsigned env_rights(const struct trap_env *env);

/*
 * Linear memory as ops.h says, after the canonical check (#GP(0)). `size` is at most CPU_ACCESS_MAX. Data breakpoints
 * are noted in `hits`; accesses by the CPU itself and fetches meet none.
 */
int must_check env_read(struct trap_env *env, uint64_t addr, void *buf, unsigned size, unsigned access);
int must_check env_write(struct trap_env *env, uint64_t addr, const void *buf, unsigned size, unsigned access);
/* As ops->cmpxchg. */
int must_check env_cmpxchg(struct trap_env *env, uint64_t addr, const void *expected, const void *desired, void *old,
                           unsigned size, unsigned access);

#endif
