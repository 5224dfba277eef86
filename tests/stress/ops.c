/* SPDX-License-Identifier: MIT */
/* The instructions, in the model: on 64 bytes, the used words of a frame. */
#include "stress.h"

const char *const op_names[OPS] = {
    [OP_READ] = "mov from memory",
    [OP_MOV] = "mov",
    [OP_XCHG] = "xchg",
    [OP_CMPXCHG] = "cmpxchg",
    [OP_LOCK_CMPXCHG] = "lock cmpxchg",
    [OP_AND] = "and",
    [OP_OR] = "or",
    [OP_XOR] = "xor",
    [OP_ADD] = "add",
    [OP_SUB] = "sub",
    [OP_LOCK_AND] = "lock and",
    [OP_LOCK_OR] = "lock or",
    [OP_LOCK_XOR] = "lock xor",
    [OP_LOCK_ADD] = "lock add",
    [OP_LOCK_SUB] = "lock sub",
    [OP_INC] = "inc",
    [OP_DEC] = "dec",
    [OP_LOCK_INC] = "lock inc",
    [OP_LOCK_DEC] = "lock dec",
    [OP_XADD] = "lock xadd",
    [OP_BTS] = "bts",
    [OP_BTR] = "btr",
    [OP_LOCK_BTS] = "lock bts",
    [OP_LOCK_BTR] = "lock btr",
    [OP_STOS] = "stos",
    [OP_REP_STOS] = "rep stos",
    [OP_MOVS] = "movs",
    [OP_REP_MOVS] = "rep movs",
    [OP_FETCH] = "fetch",
};

/* Bits of an entry that may go either way, for instructions that change one. */
static const uint8_t single_bits[] = {0, 1, 2, 5, 6, 7, 8, 9, 12, 13, 14, 21, 52, 62, 63, 63};

bool op_writes(enum op op)
{
	return op != OP_READ && op != OP_FETCH;
}

bool op_reads_first(enum op op)
{
	return op_writes(op) && op != OP_MOV && !(op >= OP_STOS && op <= OP_REP_MOVS);
}

static unsigned repeats(const struct access *access)
{
	return access->op == OP_REP_STOS || access->op == OP_REP_MOVS ? access->rcx : 1;
}

unsigned op_span(const struct access *access)
{
	return repeats(access) << access->width;
}

static uint64_t mask_of(const struct access *access)
{
	return ~0ull >> (64 - (8 << access->width));
}

static uint64_t load(const uint8_t *memory, unsigned offset, unsigned bytes)
{
	uint64_t value = 0;

	__builtin_memcpy(&value, memory + offset, bytes);
	return value;
}

/* The bytes of an entry that an access to them replaces; across two entries: those of both. */
static uint64_t value_at(uint64_t value, unsigned byte, uint64_t mask)
{
	return (byte ? value >> 8 * byte | value << (64 - 8 * byte) : value) & mask;
}

/* Words 0 to 3 of a frame's used ones lie side by side, the others alone. */
static void keep_inside(struct access *access)
{
	const unsigned end = access->offset < 32 ? 32 : (access->offset | 7) + 1;

	while (access->rcx > 1 && access->offset + op_span(access) > end)
		access->rcx--;
	while (access->offset + op_span(access) > end)
		access->width--;
}

void op_choose(struct arena *a, struct access *access, const uint8_t *memory, uint64_t value)
{
	uint64_t mask, old, new;

	access->rcx = access->op == OP_REP_STOS || access->op == OP_REP_MOVS ? 1 + dice(a, 4) : 1;
	keep_inside(access);
	mask = mask_of(access);
	old = load(memory, access->offset, 1 << access->width);
	new = value_at(value, access->offset % 8, mask);
	access->rax = access->rdx = new;
	switch (access->op) {
	case OP_CMPXCHG:
	case OP_LOCK_CMPXCHG:
		access->rax = dice(a, 4) ? old : ~old & mask; /* one in four stores nothing new */
		break;
	case OP_AND:
	case OP_LOCK_AND:
		access->rdx = new | ~old;
		break;
	case OP_XOR:
	case OP_LOCK_XOR:
		access->rdx = old ^ new;
		break;
	case OP_ADD:
	case OP_LOCK_ADD:
		access->rdx = new - old;
		break;
	case OP_SUB:
	case OP_LOCK_SUB:
		access->rdx = old - new;
		break;
	case OP_XADD:
		access->rax = new - old;
		break;
	case OP_BTS:
	case OP_BTR:
	case OP_LOCK_BTS:
	case OP_LOCK_BTR:
		access->rdx = single_bits[dice(a, sizeof(single_bits))] & ((8 << access->width) - 1);
		break;
	default:
		break;
	}
}

static uint64_t compute(const struct access *x, uint64_t old)
{
	switch (x->op) {
	case OP_XCHG:
	case OP_STOS:
	case OP_REP_STOS:
		return x->rax;
	case OP_CMPXCHG:
	case OP_LOCK_CMPXCHG:
		return (x->rax & mask_of(x)) == old ? x->rdx : old;
	case OP_AND:
	case OP_LOCK_AND:
		return old & x->rdx;
	case OP_OR:
	case OP_LOCK_OR:
		return old | x->rdx;
	case OP_XOR:
	case OP_LOCK_XOR:
		return old ^ x->rdx;
	case OP_ADD:
	case OP_LOCK_ADD:
		return old + x->rdx;
	case OP_SUB:
	case OP_LOCK_SUB:
		return old - x->rdx;
	case OP_INC:
	case OP_LOCK_INC:
		return old + 1;
	case OP_DEC:
	case OP_LOCK_DEC:
		return old - 1;
	case OP_XADD:
		return old + x->rax;
	case OP_BTS:
	case OP_LOCK_BTS:
		return old | 1ull << x->rdx;
	case OP_BTR:
	case OP_LOCK_BTR:
		return old & ~(1ull << x->rdx);
	default:
		return x->rdx; /* mov */
	}
}

uint64_t op_apply(const struct access *x, uint8_t *memory, const uint8_t *source)
{
	const unsigned bytes = 1 << x->width;
	const uint64_t old = load(memory, x->offset, bytes);

	if (x->op == OP_READ)
		return old;
	for (unsigned i = 0, at = x->offset; i < repeats(x); i++, at += bytes) {
		uint64_t new = x->op == OP_MOVS || x->op == OP_REP_MOVS
		                   ? load(source, at - x->offset + x->offset % 8, bytes)
		                   : compute(x, load(memory, at, bytes));

		__builtin_memcpy(memory + at, &new, bytes);
	}
	if (x->op == OP_XCHG || x->op == OP_XADD || x->op == OP_CMPXCHG || x->op == OP_LOCK_CMPXCHG)
		return old;
	return x->rax & mask_of(x);
}
