/* SPDX-License-Identifier: MIT */
/* What an access may end in: the walk of APM2 5.3-5.6, over what the tables hold and over what TLBs may remember. */
#include <gnomon/x86.h>

#include "stress.h"

#define LARGE_MUST_BE_0 0x1fe000 /* APM2 5.3.4: bits 20:13 of a 2 MiB leaf */

struct search {
	const struct cpu *cpu;
	const struct access *access;
	struct arena *a;
	uint32_t since;   /* no translation is older */
	bool global_only; /* finished translations of global pages alone */
	struct end *ends;
	unsigned count;
	bool too_many, exact;
};

/* One way down so far. */
struct way {
	struct end end;
	uint64_t all, any; /* entries, and-ed and or-ed */
	uint32_t time;     /* when the last of them was there at the earliest */
};

static bool must_be_zero(const struct search *s, uint64_t entry, int level)
{
	if ((entry & PTE_NX) && !s->cpu->mode.nxe)
		return true; /* 5.6.1 */
	if (entry & PTE_ADDR & (~0ull << maxphyaddr))
		return true;
	/* AMD reserves G here, Intel does not: APM2 5.3.3, SDM 3 4.5. */
	if (level == 4)
		return (entry & PTE_PS) || (upper_global_reserved && (entry & PTE_G));
	if (level == 3)
		return entry & PTE_PS; /* a 1 GiB page would begin where no arena does */
	return level == 2 && (entry & PTE_PS) && (entry & LARGE_MUST_BE_0);
}

/* 5.6: rights are those that all levels grant together. */
static bool permitted(const struct search *s, const struct way *way)
{
	const struct mode *m = &s->cpu->mode;
	const bool writes = op_writes(s->access->op), fetches = s->access->op == OP_FETCH;
	const bool user_page = way->all & PTE_U, writable = way->all & PTE_W;

	if (fetches && (way->any & PTE_NX))
		return false;
	if (s->access->user)
		return user_page && (writable || !writes);
	if (user_page && fetches && m->smep)
		return false; /* 5.6.5 */
	if (user_page && !fetches && m->smap && !s->access->ac)
		return false; /* 5.6.6 */
	return writable || !writes || !m->wp;
}

static bool same_way(const struct end *x, const struct end *y)
{
	bool same = x->fault == y->fault && x->error == y->error && x->frame == y->frame && x->length == y->length;

	for (unsigned i = 0; same && i < x->length; i++)
		same = x->path[i] == y->path[i];
	return same;
}

static void add(struct search *s, const struct end *end)
{
	if (!end->now || end->old)
		s->exact = false;
	for (unsigned i = 0; i < s->count; i++)
		if (same_way(&s->ends[i], end))
			return;
	if (s->count == ENDS)
		s->too_many = true;
	else
		s->ends[s->count++] = *end;
}

static void add_fault(struct search *s, struct way *way, uint32_t error) /* 8.4.2 */
{
	way->end.fault = true;
	way->end.error = error | (op_writes(s->access->op) ? PFEC_W : 0) | (s->access->user ? PFEC_U : 0);
	if (s->access->op == OP_FETCH && (s->cpu->mode.nxe || s->cpu->mode.smep))
		way->end.error |= PFEC_I;
	add(s, &way->end);
}

static void follow(struct search *s, int level, unsigned frame, const struct way *way);

static unsigned frame_of(uint64_t entry)
{
	return entry >> 12 & (FRAMES - 1);
}

static void arrive(struct search *s, struct way *way, uint64_t entry, bool large)
{
	way->end.frame = frame_of(entry);
	if (large)
		way->end.frame = (way->end.frame & BLOCK_FRAMES) | slot_index[page_slot(s->access->page, 1)];
	if (s->global_only && !(entry & PTE_G))
		return;
	if (permitted(s, way))
		add(s, &way->end);
	else
		add_fault(s, way, PFEC_P);
}

static uint32_t later(uint32_t x, uint32_t y)
{
	return x > y ? x : y;
}

/* `since`: when the entry got this value. */
static void take(struct search *s, int level, word_t word, const struct way *so_far, uint64_t entry, uint32_t since,
                 bool old)
{
	struct way way = *so_far;
	const bool large = level == 2 && (entry & PTE_PS);

	way.end.path[way.end.length++] = word;
	way.end.old |= old;
	way.end.now &= !old;
	way.all &= entry;
	way.any |= entry;
	way.time = later(way.time, since);
	const bool bad = !(entry & PTE_P) || must_be_zero(s, entry, level);

	if ((old || s->global_only) && (bad || !(entry & PTE_A)))
		return; /* such an entry is not cached, SDM 3 4.10.2.3 */
	if (bad) {
		add_fault(s, &way, entry & PTE_P ? PFEC_P | PFEC_RSVD : 0);
	} else if (level == 1 || large) {
		arrive(s, &way, entry, large);
	} else {
		follow(s, level - 1, frame_of(entry), &way);
	}
}

static void follow(struct search *s, int level, unsigned frame, const struct way *way)
{
	const word_t word = frame * SLOTS + page_slot(s->access->page, level);

	take(s, level, word, way, *want_pointer(s->a, word), s->a->since[frame][word % SLOTS], false);
	for (unsigned i = 0; i < s->a->changes; i++) {
		const struct change *c = &s->a->change[i];

		if (c->word == word && c->time > s->since && c->time > way->time)
			take(s, level, word, way, c->old, c->from, true);
	}
}

unsigned predict(const struct cpu *cpu, const struct access *access, struct end ends[ENDS], bool *ret_exact)
{
	const struct tlb *tlb = &cpu->arena->tlb[cpu->id];
	struct search s = {.cpu = cpu, .access = access, .a = cpu->arena, .ends = ends, .exact = true};
	struct way way = {.end.now = true, .all = ~0ull};

	s.since = later(tlb->full, tlb->page[access->page]);
	follow(&s, 4, tlb->root, &way);
	s.since = later(tlb->global, tlb->page[access->page]);
	s.global_only = true;
	for (unsigned root = 0; cpu->mode.pge && root < ROOTS; root++) {
		way.end.now = root == tlb->root;
		if (root == tlb->root ? tlb->global < tlb->full : tlb->left[root] > s.since)
			follow(&s, 4, root, &way);
	}
	*ret_exact = s.exact;
	return s.too_many ? 0 : s.count;
}
