/* SPDX-License-Identifier: MIT */
/* Where memory operands and branches lead. */
#include <gnomon/abi.h>
#include <string.h>

#include "draft.h"

#define TABLE_BELOW   1024 /* in a table page operands begin below this offset */
#define TABLE_ABOVE   2560 /* or from here on: LIVE_ENTRY lies between */
#define BIT_OFFSETS   4096
#define HALF          0x800000000000     /* the end of the lower half */
#define NOT_CANONICAL 0x4000000000000000 /* whether addresses have 48 or 57 bits */

static const uint8_t data_pages[] = {1, 2, 4, 6, 8, 10, 13};
static const uint8_t table_pages[] = {PAGE_TABLE1, PAGE_TABLE2, PAGE_TABLE3, PAGE_FORMER};

uint64_t window_address(uint64_t address)
{
	if (address - WINDOW_LOW < TEST_PAGES * PAGE_BYTES)
		return address;
	return address - WINDOW_HIGH < TEST_PAGES * PAGE_BYTES ? address - WINDOW_HIGH + WINDOW_LOW : 0;
}

/* An offset in a page for an operand of `size` bytes: aligned, or not. */
static unsigned throw_offset(struct dice *d, unsigned size)
{
	const unsigned alignment = size >= 64 ? 64 : size >= 2 ? 1u << (31 - __builtin_clz(size)) : 1;
	const unsigned offset = dice_throw(d, PAGE_BYTES - (size < PAGE_BYTES / 2 ? size : 0));

	switch (dice_throw(d, 4)) {
	case 0:
		return offset;
	case 1:
		return offset & ~7u;
	default:
		return offset & ~(alignment - 1);
	}
}

static unsigned throw_table_offset(struct dice *d, unsigned size)
{
	for (;;) {
		const unsigned offset = throw_offset(d, size);

		if (offset >= TABLE_ABOVE || (offset < TABLE_BELOW && size <= 128))
			return offset;
	}
}

/* From one page into the next; when `size` is 1, up to the edge. */
static uint64_t throw_crossing(struct dice *d, unsigned size)
{
	static const uint8_t before[] = {1, 2, 4, 5, 6, 13, 12, 9, 0};
	const unsigned page = before[dice_throw(d, sizeof(before))];
	unsigned before_edge = 1 + dice_throw(d, size < 64 ? size : 64);

	if (dice_one_in(d, 2) && before_edge > 1)
		before_edge &= ~1u;
	return (page + 1) * PAGE_BYTES - before_edge;
}

static uint64_t throw_outside(struct draft *t)
{
	struct dice *d = &t->d;
	const uint64_t any = dice_u64(d);
	const bool heads = dice_one_in(d, 2);

	switch (dice_throw(d, 8)) {
	case 0:
	case 1:
		return GNOMON_RESERVED_BASE + (any & (heads ? 0xffff : 0x7fffffffff));
	case 2:
		return GNOMON_BOOT_VIRT + (any & 0x3ffffff);
	case 3: /* not slot 256, where kvm_pvm raises #PF for ever */
		return ~0ull << 47 | 1ull << 46 | (any & 0x3fffffffffff);
	case 4:
		t->out->at_half = true;
		return HALF - 72 + dice_throw(d, heads ? 144 : 72);
	case 5:
		return heads ? any & 0x1fff : HALF / 2 + (any & 0xffffffffff);
	default:
		return (heads ? NOT_CANONICAL : NOT_CANONICAL ^ ~0ull << 47) | (any & (HALF - 1));
	}
}

/* An address, and whether it must be one that 32 bits hold. */
static uint64_t throw_address(struct draft *t, unsigned size, bool low)
{
	struct dice *d = &t->d;
	const uint64_t window = low || dice_one_in(d, 2) ? WINDOW_LOW : WINDOW_HIGH;
	const unsigned class = dice_throw(d, 100);
	unsigned page;

	if (t->prefer && dice_one_in(d, 2))
		return t->prefer;
	if (class < 45) {
		page = data_pages[dice_throw(d, sizeof(data_pages))];
		return window + page * PAGE_BYTES + (dice_one_in(d, 8) ? 0 : throw_offset(d, size));
	}
	if (class < 63) {
		page = table_pages[dice_throw(d, sizeof(table_pages))];
		t->tables = true;
		t->out->c.how |= HOW_FLUSH | (page == PAGE_FORMER && dice_one_in(d, 2) ? HOW_FORMER : 0);
		return window + page * PAGE_BYTES + throw_table_offset(d, size);
	}
	if (class < 71)
		return window + throw_crossing(d, size);
	if (class < 76)
		return window + 3 * PAGE_BYTES + throw_offset(d, size);
	if (class < 81)
		return window + 5 * PAGE_BYTES + throw_offset(d, size);
	if (class < 85 || low)
		return window + (dice_one_in(d, 2) ? 0 : (TEST_PAGES - 1) * PAGE_BYTES) + throw_offset(d, size);
	return throw_outside(t);
}

uint64_t code_target(struct draft *t)
{
	struct dice *d = &t->d;
	const struct generated *out = t->out;

	switch (dice_throw(d, 10)) {
	case 0:
		return out->c.rip + out->length + dice_throw(d, 8);
	case 1:
		return WINDOW_LOW + data_pages[1] * PAGE_BYTES + dice_throw(d, 3 * PAGE_BYTES);
	case 2:
		return WINDOW_HIGH + 5 * PAGE_BYTES + dice_throw(d, PAGE_BYTES);
	case 3:
		return WINDOW_LOW + dice_throw(d, PAGE_BYTES);
	case 4:
		return throw_outside(t);
	default:
		return LANDING_VA + dice_throw(d, PAGE_BYTES - 1);
	}
}

uint16_t throw_selector(struct dice *d)
{
	switch (dice_throw(d, 8)) {
	case 0:
	case 1:
		return dice_throw(d, 4);
	case 2:
		return 4 | (dice_u64(d) & 0xfffb);
	case 3:
		return dice_throw(d, 64) & ~4u;
	default:
		return 0x200 + dice_throw(d, 0xfe00);
	}
}

static uint64_t segment_base(ZydisRegister segment)
{
	return segment == ZYDIS_REGISTER_FS ? FS_BASE : segment == ZYDIS_REGISTER_GS ? GS_BASE : 0;
}

static void set_gpr(struct draft *t, int n, uint64_t value)
{
	t->out->c.gpr[n] = value;
	t->fixed |= 1u << n;
}

static void put_displacement(struct draft *t, uint64_t value)
{
	memcpy(t->out->bytes + t->z.raw.disp.offset, &value, t->z.raw.disp.size / 8);
}

/* A value for the index register, which then is what it is. */
static uint64_t index_value(struct draft *t, ZydisRegister reg, bool small)
{
	const int n = gpr_number(reg);

	if (n < 0)
		return 0; /* none, or a vector register of small lanes */
	if (!(t->fixed >> n & 1))
		set_gpr(t, n, small || dice_one_in(&t->d, 2) ? dice_throw(&t->d, 64) : dice_value(&t->d));
	return t->out->c.gpr[n];
}

static void steer_operand(struct draft *t, const ZydisDecodedOperand *op)
{
	const unsigned size = op->size ? op->size / 8 : 1;
	const bool narrow = t->z.address_width == 32;
	const bool gs = op->mem.segment == ZYDIS_REGISTER_GS;
	const int base = gpr_number(op->mem.base);
	const bool relative = op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP;
	const bool moffs = t->z.raw.disp.size == 64;
	const bool by_bytes = base < 0 && !moffs; /* RIP-relative or absolute: by the displacement alone */
	uint64_t address, offset;
	bool tables_before;

	tables_before = t->tables;
	t->tables = false;
	address = throw_address(t, size, (narrow || by_bytes) && !gs);
	t->out->stores |= t->tables && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	t->tables |= tables_before;
	if (gs && (narrow || by_bytes)) /* as far as 32 bits reach from there */
		address = window_address(address) ? window_address(address) - WINDOW_LOW + WINDOW_HIGH : address;
	if (t->z.mnemonic == ZYDIS_MNEMONIC_XLAT)
		address -= t->out->c.gpr[0] & 0xff;
	offset = address - segment_base(op->mem.segment);
	if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
		t->out->c.fpu = FPU_SMALL + dice_throw(&t->d, FPU_IMAGES - FPU_SMALL);
	if (relative) {
		put_displacement(t, offset - (t->out->c.rip + t->z.length));
	} else if (by_bytes || moffs) {
		put_displacement(t, offset - index_value(t, op->mem.index, true) * op->mem.scale);
	} else if (!(t->fixed >> base & 1)) {
		const bool same = gpr_number(op->mem.index) == base && op->mem.type != ZYDIS_MEMOP_TYPE_VSIB;
		uint64_t value = offset - op->mem.disp.value;

		if (same)
			value /= 1 + op->mem.scale;
		else
			value -= index_value(t, op->mem.index, false) * op->mem.scale;
		if (narrow) /* what lies above does not count */
			value = (value & 0xffffffff) | dice_u64(&t->d) << 32;
		set_gpr(t, base, value);
	} else {
		return; /* another operand's already */
	}
	if (base == 4 && op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
		t->stack = window_address(address);
	else if (!t->operand)
		t->operand = window_address(address);
}

/* BT and its kin reach beyond the operand, by a register. */
static void steer_bit_offset(struct draft *t)
{
	const uint64_t offset = dice_throw(&t->d, BIT_OFFSETS) - BIT_OFFSETS / 2;
	int n;

	switch (t->z.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		n = t->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER ? gpr_number(t->op[1].reg.value) : -1;
		if (n >= 0 && !(t->fixed >> n & 1) && t->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY)
			set_gpr(t, n, offset);
		break;
	default:
		break;
	}
}

void steer_memory(struct draft *t)
{
	const bool string = t->z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);

	if (string) {
		const uint64_t count = dice_throw(&t->d, dice_one_in(&t->d, 8) ? 700 : 20);

		set_gpr(t, 1, t->z.address_width == 32 ? count | dice_u64(&t->d) << 32 : count);
	}
	if (t->z.mnemonic == ZYDIS_MNEMONIC_CLZERO)
		set_gpr(t, 0, throw_address(t, 64, false));
	if (t->z.mnemonic == ZYDIS_MNEMONIC_ENTER)
		set_gpr(t, 5, throw_address(t, 8, false));
	/* The hidden ones first, stack and strings: their registers are not free to choose. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < t->z.operand_count; i++) {
			const ZydisDecodedOperand *op = &t->op[i];
			const bool hidden = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

			if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
			    hidden == !pass)
				steer_operand(t, op);
		}
	steer_bit_offset(t);
}

/* One that 32 bits reach. */
static uint64_t relative_target(struct draft *t, uint64_t next)
{
	for (;;) {
		const uint64_t target = code_target(t);

		if ((int64_t)(target - next) == (int32_t)(target - next))
			return target;
	}
}

/* Relative branches, in their bytes. */
static void steer_relative(struct draft *t)
{
	const ZydisDecodedInstruction *z = &t->z;
	const uint64_t next = t->out->c.rip + z->length;
	uint64_t value;

	if (z->raw.imm[0].size == 8)
		value = dice_throw(&t->d, 24); /* INT3s behind */
	else if (z->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE)
		/* Perhaps 16 bits and two bytes less: should it go on there, it finds INT3. */
		value = 0xcccc0000 | (dice_u64(&t->d) & 0x7fff);
	else
		value = relative_target(t, next) - next;
	memcpy(t->out->bytes + z->raw.imm[0].offset, &value, z->raw.imm[0].size / 8);
}

void steer_branch(struct draft *t)
{
	const ZydisDecodedInstruction *z = &t->z;
	int n;

	if (z->raw.imm[0].is_relative) {
		steer_relative(t);
		return;
	}
	if (z->meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR || t->op[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    t->op[0].visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
		return;
	n = gpr_number(t->op[0].reg.value);
	if (n >= 0 && !(t->fixed >> n & 1))
		set_gpr(t, n, code_target(t));
}
