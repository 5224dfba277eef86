/* SPDX-License-Identifier: MIT */
/* Accesses for real, compared with the prediction; and the report of a difference. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "stress.h"

#define FRAME_BYTES (SLOTS * 8)
#define TOUCHED     (ENDS * 4 + 2 * ENDS)

void access_kernel(struct cpu *cpu, uint64_t code);
void access_user(struct cpu *cpu, uint64_t code);

extern char kernel_ops[], user_page[];

/* A word that an access may change: into `value`, but for bits that may go either way. */
struct touched {
	word_t word;
	uint64_t value, optional;
	uint64_t before; /* where stored: what the store replaced */
	bool stored;
};

struct check {
	struct cpu *cpu;
	const struct access *access;
	const struct end *ends;
	unsigned count;
	bool exact;
	uint64_t address, cr2;
	struct touched touched[TOUCHED];
	unsigned nr_touched;
};

static uint8_t *source_of(const struct cpu *cpu)
{
	return (uint8_t *)user_page + SOURCE_OFFSET + cpu->id * FRAME_BYTES;
}

static uint64_t code_offset(const struct access *access)
{
	return ((uint64_t)access->op * 4 + access->width) * OP_BYTES;
}

/* Makes it; what came of it is in *cpu. */
static void run(struct cpu *cpu, const struct access *access, uint64_t address)
{
	const uint64_t source = SOURCE_OFFSET + cpu->id * FRAME_BYTES + access->offset % 8;

	cpu->rdi = address;
	cpu->rax = access->rax;
	cpu->rcx = access->rcx;
	cpu->rdx = access->rdx;
	cpu->rsi = (access->user ? USER_VA : (uint64_t)user_page) + source;
	if (access->user) {
		access_user(cpu, USER_VA + code_offset(access));
		return;
	}
	cpu->ac = access->ac ? options.ac : AC_NEVER;
	access_kernel(cpu, (uint64_t)kernel_ops + code_offset(access));
}

static unsigned real_offset(unsigned offset)
{
	return slot_index[offset / 8] * 8 + offset % 8;
}

static struct touched *touch(struct check *c, word_t word)
{
	for (unsigned i = 0; i < c->nr_touched; i++)
		if (c->touched[i].word == word)
			return &c->touched[i];
	c->touched[c->nr_touched] = (struct touched){.word = word, .value = *want_pointer(c->cpu->arena, word)};
	return &c->touched[c->nr_touched++];
}

/* The words the operand lies in. */
static word_t first_word(const struct access *access, unsigned frame)
{
	return frame * SLOTS + access->offset / 8;
}

static unsigned word_count(const struct access *access)
{
	return (access->offset + op_span(access) - 1) / 8 - access->offset / 8 + 1;
}

/* Applies the instruction to the words at `frame`. False: a word would lead out of the arena. */
static bool apply(struct check *c, unsigned frame, uint64_t *ret_rax)
{
	struct arena *a = c->cpu->arena;
	const word_t first = first_word(c->access, frame);
	const unsigned n = word_count(c->access);
	uint64_t words[SLOTS];
	bool safe = true;

	__builtin_memcpy(words, a->want[frame], sizeof(words));
	for (unsigned i = 0; i < n; i++)
		words[first % SLOTS + i] = touch(c, first + i)->value;
	*ret_rax = op_apply(c->access, (uint8_t *)words, source_of(c->cpu));
	for (unsigned i = 0; i < n && op_writes(c->access->op); i++) {
		struct touched *t = touch(c, first + i);

		t->before = t->value;
		t->value = words[first % SLOTS + i];
		t->stored = true;
		safe &= value_is_safe(a, t->value);
	}
	return safe;
}

/* What the walk itself does to the entries on its way. */
static void walk_marks(struct check *c, const struct end *e, bool certain)
{
	for (unsigned i = 0; i < e->length; i++) {
		const bool last = i == e->length - 1;
		uint64_t bits = PTE_A | (last && op_writes(c->access->op) ? PTE_D : 0);
		struct touched *t = touch(c, e->path[i]);

		if (certain && !e->fault)
			t->value |= bits;
		else if (!certain)
			t->optional |= bits;
		else if (!last || op_reads_first(c->access->op) || (options.qemu_npt && e->error & PFEC_RSVD))
			t->optional |= PTE_A; /* a CPU may set it on the way to a fault: SDM 3 4.8 */
	}
}

static bool as_seen(const struct check *c)
{
	for (unsigned i = 0; i < c->nr_touched; i++) {
		const struct touched *t = &c->touched[i];

		if ((*word_pointer(c->cpu->arena, t->word) ^ t->value) & ~t->optional)
			return false;
	}
	return true;
}

static void adopt(struct check *c)
{
	for (unsigned i = 0; i < c->nr_touched; i++) {
		const struct touched *t = &c->touched[i];
		const uint64_t now = *word_pointer(c->cpu->arena, t->word);

		*want_pointer(c->cpu->arena, t->word) = t->stored ? t->before : now;
		if (t->stored)
			arena_store(c->cpu->arena, t->word, now);
	}
}

static uint64_t read_cr2(void)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

static bool same_error(enum op op, uint32_t want, uint32_t seen)
{
	if (options.qemu && op_reads_first(op))
		seen |= PFEC_W; /* two accesses there, and the first one is a read */
	if (options.qemu_npt && (want & PFEC_RSVD))
		seen |= PFEC_P;
	return want == seen;
}

static bool same_fault(const struct check *c, const struct end *e)
{
	const struct access *x = c->access;
	const uint64_t code = (x->user ? USER_VA : (uint64_t)kernel_ops) + code_offset(x);

	return c->cpu->vector == VEC_PF && same_error(x->op, e->error, c->cpu->error) && c->cr2 == c->address &&
	       c->cpu->rip == (x->op == OP_FETCH ? c->address : code);
}

/* Did it end in this way? */
static bool ended_so(struct check *c, const struct end *e)
{
	const struct access *x = c->access;
	uint64_t rax, mask = ~0ull >> (64 - (8 << x->width));

	c->nr_touched = 0;
	for (unsigned i = 0; i < c->count; i++)
		walk_marks(c, &c->ends[i], c->exact);
	if (e->fault)
		return same_fault(c, e) && as_seen(c);
	if (c->cpu->vector != (x->user ? VEC_BP : NO_VECTOR))
		return false;
	if (x->op == OP_FETCH)
		return (uint32_t)c->cpu->rax == frame_tag(c->cpu->arena, e->frame) && as_seen(c);
	for (unsigned i = 0; i < c->count; i++)
		for (unsigned n = 0; !c->ends[i].fault && n < word_count(x); n++)
			touch(c, first_word(x, c->ends[i].frame) + n);
	apply(c, e->frame, &rax);
	if (x->op == OP_READ ? c->cpu->rax != rax : ((c->cpu->rax ^ rax) & mask) != 0)
		return false;
	return as_seen(c);
}

static bool on_a_path(const struct check *c, word_t word)
{
	for (unsigned i = 0; i < c->count; i++)
		for (unsigned n = 0; n < c->ends[i].length; n++)
			if (c->ends[i].path[n] == word)
				return true;
	return false;
}

/* With several ends, only data that is no entry on the way can be judged. */
static bool can_be_judged(const struct check *c)
{
	for (unsigned i = 0; i < c->count; i++)
		for (unsigned n = 0; !c->ends[i].fault && n < word_count(c->access); n++)
			if (on_a_path(c, first_word(c->access, c->ends[i].frame) + n))
				return false;
	return true;
}

static bool stores_safely(struct check *c)
{
	uint64_t rax;

	for (unsigned i = 0; i < c->count; i++) {
		c->nr_touched = 0;
		if (c->exact)
			walk_marks(c, &c->ends[i], true);
		if (!c->ends[i].fault && !apply(c, c->ends[i].frame, &rax))
			return false;
	}
	return true;
}

static void plain_store(struct access *access, uint64_t value)
{
	access->op = OP_MOV;
	access->width = 3;
	access->offset &= ~7u;
	access->rdx = value;
}

static void fill_source(struct cpu *cpu, const struct access *access, uint64_t value)
{
	uint64_t *source = (uint64_t *)source_of(cpu);

	for (unsigned i = 0; (access->op == OP_MOVS || access->op == OP_REP_MOVS) && i < SLOTS; i++)
		source[i] = value;
}

bool access_reads(struct cpu *cpu, uint64_t va, uint64_t *ret_value)
{
	const struct access read = {.op = OP_READ, .width = 3};

	run(cpu, &read, va);
	*ret_value = cpu->rax;
	return cpu->vector == NO_VECTOR;
}

bool access_stores(struct cpu *cpu, uint64_t va, uint64_t value)
{
	const struct access store = {.op = OP_MOV, .width = 3, .rdx = value};

	run(cpu, &store, va);
	return cpu->vector == NO_VECTOR;
}

bool access_paged(struct cpu *cpu, struct access *access, uint64_t value)
{
	struct arena *a = cpu->arena;
	struct end ends[ENDS];
	struct check c = {.cpu = cpu, .access = access, .ends = ends};
	const bool fetch = access->op == OP_FETCH;

	arena_reserve(cpu, SLOTS);
	c.count = predict(cpu, access, ends, &c.exact);
	if (op_writes(access->op)) {
		op_choose(a, access, (uint8_t *)a->want[ends[0].fault ? 0 : ends[0].frame], value);
		if (access->rcx > 1 && !can_be_judged(&c))
			access->rcx = 1; /* the first element might take the second's way away */
		fill_source(cpu, access, value);
		if (!stores_safely(&c))
			plain_store(access, value);
	}
	if (c.count == 0 || (!c.exact && !fetch && !can_be_judged(&c)))
		return false;
	c.address =
	    page_address(access->page) + (fetch ? (CODE_SLOT + access->user) * 8u : real_offset(access->offset));
	run(cpu, access, c.address);
	c.cr2 = read_cr2();
	for (unsigned i = 0; i < c.count; i++)
		if (ended_so(&c, &ends[i])) {
			adopt(&c);
			arena_record_access(cpu, access, cpu->vector == VEC_PF ? cpu->error : ~0ull);
			return true;
		}
	report_access(cpu, access, ends, c.count, c.exact);
}

void access_direct(struct cpu *cpu, struct access *access, word_t word, uint64_t value)
{
	struct arena *a = cpu->arena;
	const unsigned frame = word / SLOTS;
	struct end none = {.frame = frame};
	struct check c = {.cpu = cpu, .access = access, .ends = &none, .count = 1, .exact = true};

	arena_reserve(cpu, SLOTS);
	access->offset = word % SLOTS * 8 + access->offset % 8;
	op_choose(a, access, (uint8_t *)a->want[frame], value);
	fill_source(cpu, access, value);
	if (!stores_safely(&c))
		plain_store(access, value);
	c.address = (uint64_t)word_pointer(a, frame * SLOTS + access->offset / 8) + access->offset % 8;
	run(cpu, access, c.address);
	if (!ended_so(&c, &none))
		report_access(cpu, access, &none, 1, true);
	adopt(&c);
	arena_record(cpu, op_names[access->op], frame << 4 | access->offset / 8, *want_pointer(a, word));
}
