/* SPDX-License-Identifier: MIT */
#include "cpu/inject.h"

#include <errno.h>
#include <string.h>

#include "cpu/segment.h"

/* 64-bit TSS, APM2 12.2.5. */
#define TSS_RSP0 4
#define TSS_IST1 36

#define GATE_SIZE   16
#define STACK_ALIGN 16

enum event_kind {
	EVENT_EXCEPTION,
	EVENT_EXTERNAL,
	EVENT_SOFTWARE, /* int n: the gate's DPL counts, and the error codes of its faults have no EXT */
};

struct event {
	enum event_kind kind;
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

struct gate {
	uint64_t offset;
	uint16_t selector;
	uint8_t ist;
	uint8_t attributes; /* type, DPL, P as in struct cpu_segment */
};

const char *inject_outcome_describe(enum inject_outcome outcome)
{
	static const char *const text[INJECT_OUTCOME_COUNT] = {
	    [INJECT_DONE] = "delivered",
	    [INJECT_REPLACED] = "a fault during the delivery was delivered in its place",
	    [INJECT_TRIPLE_FAULT] = "triple fault: the delivery of a double fault faulted",
	    [INJECT_OUTSIDE_MEMORY] = "a descriptor table or stack lies outside the guest's memory",
	    [INJECT_HOST_ERROR] = "the host failed during the delivery",
	};

	return text[outcome];
}

bool inject_is_fault(uint64_t vector)
{
	return vector < 32 && vector != VEC_DB && vector != VEC_NMI && vector != VEC_BP && vector != VEC_OF &&
	       vector != VEC_DF && vector != VEC_MC;
}

/*
 * RF is pushed as 1 for faults, so that the restarted instruction meets no code breakpoint again, APM2 3.1.6; as 0 for INT
 * n, which is done (SDM vol. 3 17.3.1.1); as it is for interrupts, which come before an instruction.
 */
static uint64_t pushed_rflags(const struct event *event, uint64_t rflags)
{
	if (event->kind == EVENT_SOFTWARE)
		return rflags & ~(uint64_t)RFLAGS_RF;
	return rflags | (event->kind == EVENT_EXCEPTION && inject_is_fault(event->vector) ? RFLAGS_RF : 0);
}

static int read_gate(struct trap_env *env, const struct event *event, uint32_t ext, struct gate *ret_gate)
{
	uint32_t error = (uint32_t)event->vector << 3 | ERROR_IDT | ext;
	uint64_t half[2];
	struct gate g;
	int err;

	if (event->vector * GATE_SIZE + GATE_SIZE - 1 > env->cpu->idtr.limit)
		return env_fault(env, VEC_GP, error);
	err = env_read(env, env->cpu->idtr.base + event->vector * GATE_SIZE, half, sizeof(half), ACCESS_IMPLICIT);
	if (err)
		return err;
	g = (struct gate){
	    .offset = (half[0] & 0xffff) | (half[0] >> 48) << 16 | half[1] << 32,
	    .selector = (uint16_t)(half[0] >> 16),
	    .ist = half[0] >> 32 & 7,
	    .attributes = (uint8_t)(half[0] >> 40),
	};
	uint8_t type = g.attributes & (SEG_TYPE | SEG_S);

	if (type != SEG_TYPE_INTR_GATE && type != SEG_TYPE_TRAP_GATE)
		return env_fault(env, VEC_GP, error);
	if (event->kind == EVENT_SOFTWARE && (g.attributes & SEG_DPL) >> SEG_DPL_SHIFT < env->cpu->cpl)
		return env_fault(env, VEC_GP, error);
	if (!(g.attributes & SEG_P))
		return env_fault(env, VEC_NP, error);
	*ret_gate = g;
	return 0;
}

/* The handler's code segment and privilege, APM2 8.9.2. */
static int check_handler(struct trap_env *env, const struct gate *gate, uint32_t ext, struct cpu_segment *ret_cs,
                         uint8_t *ret_cpl)
{
	uint32_t error = (gate->selector & (SELECTOR_INDEX | SELECTOR_TI)) | ext;
	struct cpu_segment cs;
	int err, dpl;

	if (segment_is_null(gate->selector))
		return env_fault(env, VEC_GP, ext);
	err = segment_read(env, gate->selector, ext, false, &cs);
	if (err)
		return err;
	dpl = (cs.attributes & SEG_DPL) >> SEG_DPL_SHIFT;
	uint8_t cpl = cs.attributes & SEG_TYPE_CE ? env->cpu->cpl : (uint8_t)dpl;

	if ((cs.attributes & (SEG_S | SEG_TYPE_CODE)) != (SEG_S | SEG_TYPE_CODE) || dpl > env->cpu->cpl ||
	    (cpl != 0 && cpl != 3))
		return env_fault(env, VEC_GP, error);
	if (!(cs.attributes & SEG_P))
		return env_fault(env, VEC_NP, error);
	if ((cs.attributes & (SEG_L | SEG_DB)) != SEG_L)
		return env_fault(env, VEC_GP, error);
	if (!env_canonical(env, gate->offset))
		return env_fault(env, VEC_GP, ext);
	err = segment_mark_accessed(env, &cs);
	if (err)
		return err;
	cs.selector = (uint16_t)((gate->selector & ~SELECTOR_RPL) | cpl);
	*ret_cs = cs;
	*ret_cpl = cpl;
	return 0;
}

/* Where the frame goes: the IST, RSP0 on a change of privilege, else the present stack, APM2 8.9.3. */
static int choose_stack(struct trap_env *env, const struct gate *gate, uint8_t new_cpl, uint32_t ext, uint64_t *ret_rsp)
{
	const struct cpu_segment *tr = &env->cpu->seg[SEG_TR];
	uint64_t rsp = env->cpu->gpr[GPR_RSP];
	int err;

	if (gate->ist != 0 || new_cpl != env->cpu->cpl) {
		uint32_t offset = gate->ist != 0 ? TSS_IST1 + (gate->ist - 1u) * sizeof(rsp) : TSS_RSP0;

		if (!(tr->attributes & SEG_P) || offset + sizeof(rsp) - 1 > tr->limit)
			return env_fault(env, VEC_TS, (tr->selector & SELECTOR_INDEX) | ext);
		err = env_read(env, tr->base + offset, &rsp, sizeof(rsp), ACCESS_IMPLICIT);
		if (err)
			return err;
	}
	*ret_rsp = rsp & ~(uint64_t)(STACK_ALIGN - 1);
	return 0;
}

/* The CPU pushes from the top down, so that it is the uppermost push that cannot be done whose #PF comes. */
static int fault_of_push(struct trap_env *env, uint64_t rsp, unsigned size, unsigned access)
{
	uint64_t slot;
	int err = 0;

	for (unsigned at = size; err == 0 && at > 0; at -= sizeof(slot))
		err = env_read(env, rsp + at - sizeof(slot), &slot, sizeof(slot), access | ACCESS_WRITE);
	return err ? err : -EFAULT; /* another CPU has mapped it meanwhile: what came first counts */
}

static int push_frame(struct trap_env *env, const struct event *event, uint64_t rsp, uint8_t new_cpl, uint32_t ext,
                      uint64_t *ret_rsp)
{
	const struct cpu_state *cpu = env->cpu;
	uint64_t frame[] = {
	    event->error,
	    cpu->rip,
	    cpu->seg[SEG_CS].selector,
	    pushed_rflags(event, cpu->rflags),
	    cpu->gpr[GPR_RSP],
	    cpu->seg[SEG_SS].selector,
	};
	const uint64_t *from = event->has_error ? frame : frame + 1;
	unsigned size = (unsigned)(sizeof(frame) - (event->has_error ? 0 : sizeof(*frame)));
	unsigned access = new_cpl == 3 ? ACCESS_USER : new_cpl != cpu->cpl ? ACCESS_IMPLICIT : 0;
	int err;

	rsp -= size;
	if (!env_canonical(env, rsp) || !env_canonical(env, rsp + size - 1))
		return env_fault(env, VEC_SS, ext);
	*ret_rsp = rsp;
	err = env_write(env, rsp, from, size, access);
	return err == -EFAULT && env->exc.vector == VEC_PF ? fault_of_push(env, rsp, size, access) : err;
}

/* One delivery, on env->cpu. The frame is pushed last: nothing can fail after it. */
static int deliver(struct trap_env *env, const struct event *event)
{
	uint32_t ext = event->kind == EVENT_SOFTWARE ? 0 : ERROR_EXT;
	struct cpu_state *cpu = env->cpu;
	struct cpu_segment cs = {0};
	struct gate gate = {0};
	uint8_t new_cpl = 0;
	uint64_t rsp = 0;
	int err;

	err = read_gate(env, event, ext, &gate);
	if (err == 0)
		err = check_handler(env, &gate, ext, &cs, &new_cpl);
	if (err == 0)
		err = choose_stack(env, &gate, new_cpl, ext, &rsp);
	if (err == 0)
		err = push_frame(env, event, rsp, new_cpl, ext, &rsp);
	if (err)
		return err;
	if (new_cpl != cpu->cpl)
		cpu->seg[SEG_SS] = (struct cpu_segment){.selector = new_cpl};
	cpu->seg[SEG_CS] = cs;
	cpu->cpl = new_cpl;
	cpu->rip = gate.offset;
	cpu->gpr[GPR_RSP] = rsp;
	cpu->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
	if ((gate.attributes & SEG_TYPE) == SEG_TYPE_INTR_GATE)
		cpu->rflags &= ~(uint64_t)RFLAGS_IF;
	cpu->halted = false;
	cpu->interrupt_shadow = false;
	return 0;
}

enum fault_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

static enum fault_class classify(const struct event *event)
{
	if (event->kind != EVENT_EXCEPTION)
		return CLASS_BENIGN;
	switch (event->vector) {
	case VEC_DE:
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
		return CLASS_CONTRIBUTORY;
	case VEC_PF:
		return CLASS_PAGE_FAULT;
	case VEC_DF:
		return CLASS_DOUBLE_FAULT;
	default:
		return CLASS_BENIGN;
	}
}

static struct event exception_event(const struct cpu_exception *exc)
{
	return (struct event){
	    .kind = EVENT_EXCEPTION,
	    .vector = exc->vector,
	    .has_error = exc->has_error,
	    .error = exc->error,
	};
}

/* What follows when `second` is raised in the delivery of `first`, APM2 table 8-5. False: shutdown. */
static bool combine(struct event *first, const struct event *second)
{
	enum fault_class a = classify(first), b = classify(second);

	BUG_ON(b != CLASS_CONTRIBUTORY && b != CLASS_PAGE_FAULT); /* a delivery raises nothing else */
	if (a == CLASS_DOUBLE_FAULT)
		return false;
	if ((a == CLASS_CONTRIBUTORY && b == CLASS_CONTRIBUTORY) || a == CLASS_PAGE_FAULT)
		*first = (struct event){.kind = EVENT_EXCEPTION, .vector = VEC_DF, .has_error = true};
	else
		*first = *second;
	return true;
}

/* Side effects of raising an exception, before its delivery; a #PF that ends in #DF has set CR2 too. */
static void raise(struct cpu_state *cpu, const struct cpu_ops *ops, void *ctx, const struct cpu_exception *exc)
{
	if (exc->vector == VEC_PF) {
		cpu->cr2 = gva_raw(exc->cr2);
		ops->faulted(ctx, exc->cr2);
	}
	if (exc->vector == VEC_DB) {
		if (exc->dr6) /* of breakpoints it tells those met now, APM2 13.1.1.3; INT1 tells nothing */
			cpu->dr[6] &= ~(uint64_t)DR6_BREAKPOINTS;
		cpu->dr[6] |= exc->dr6;
		cpu->dr[7] &= ~(uint64_t)DR7_GD; /* the handler may use the debug registers */
	}
}

static enum inject_outcome inject(struct cpu_state *state, const struct cpu_ops *ops, void *ctx, struct event event,
                                  const struct cpu_exception *exc)
{
	enum inject_outcome outcome = INJECT_DONE;
	struct cpu_state start = *state;

	if (exc)
		raise(&start, ops, ctx, exc);
	for (;;) {
		struct cpu_state next = start;
		struct trap_env env = {.cpu = &next, .ops = ops, .ctx = ctx};
		int err = deliver(&env, &event);

		if (err == 0) {
			*state = next;
			return outcome;
		}
		if (err == -ENXIO)
			return INJECT_OUTSIDE_MEMORY;
		if (err != -EFAULT)
			return INJECT_HOST_ERROR;
		struct event second = exception_event(&env.exc);

		raise(&start, ops, ctx, &env.exc);
		if (!combine(&event, &second))
			return INJECT_TRIPLE_FAULT;
		outcome = INJECT_REPLACED;
	}
}

enum inject_outcome inject_exception(struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                                     const struct cpu_exception *exc)
{
	return inject(state, ops, ctx, exception_event(exc), exc);
}

enum inject_outcome inject_interrupt(struct cpu_state *state, const struct cpu_ops *ops, void *ctx, uint8_t vector)
{
	return inject(state, ops, ctx, (struct event){.kind = EVENT_EXTERNAL, .vector = vector}, NULL);
}

bool inject_interrupt_allowed(const struct cpu_state *state)
{
	return state->rflags & RFLAGS_IF && !state->interrupt_shadow;
}

int inject_software(struct cpu_state *state, const struct cpu_ops *ops, void *ctx, uint8_t vector,
                    struct cpu_exception *ret_exc)
{
	struct cpu_state next = *state;
	struct trap_env env = {.cpu = &next, .ops = ops, .ctx = ctx};
	const struct event event = {.kind = EVENT_SOFTWARE, .vector = vector};
	int err = deliver(&env, &event);

	if (err == 0)
		*state = next;
	else if (err == -EFAULT)
		*ret_exc = env.exc;
	return err;
}
