/* SPDX-License-Identifier: MIT */
/*
 * Rows with several address spaces, each with the tables of a REGION of its own. All else is the same in all of them,
 * so that the program goes on when CR3 changes. It runs at CPL 3; what a kernel would do it calls (cost_at_cpl0()).
 *
 *   FRAMES     space 0: its tables, its pages
 *   + 512 KiB  space 1, ...
 *
 * A fork copies the leaf entries, read-only on both sides. The child writes some pages, which its kernel copies, and
 * exits. Then the parent writes the same pages, which are its own again.
 */
#include <gnomon/x86.h>

#include "cost.h"
#include "nano.h"

#define PAGE    4096ull
#define LINK    (PTE_P | PTE_W | PTE_U | PTE_A)
#define USED    (LINK | PTE_D)
#define ENTRIES 512
#define PARENTS (NANO_SPACES / 2)

struct space {
	uint64_t pml4[ENTRIES], pdpt[ENTRIES], pd[ENTRIES], pt[ENTRIES];
	uint64_t page[124][ENTRIES];
};
_Static_assert(sizeof(struct space) == 128 * PAGE && NANO_SPACES * sizeof(struct space) <= COST_TABLES * COST_TABLE_LEN,
               "they fit into FRAMES");

static struct space *const spaces = (struct space *)COST_FRAMES;
static struct space *current; /* whose tables CR3 has */
static uint32_t nr;           /* that take turns */
static bool mixed_up;

/* Word `word` of page `n` of the current space. */
static volatile uint64_t *word_of(uint32_t n, uint32_t word)
{
	return (volatile uint64_t *)COST_REGION + n * ENTRIES + word;
}

static void link_tables(struct space *s)
{
	s->pml4[0] = cost_pml4[0][0];
	s->pml4[1] = (uint64_t)s->pdpt | LINK;
	s->pdpt[0] = (uint64_t)s->pd | LINK;
	s->pd[0] = (uint64_t)s->pt | LINK;
}

/* Word 0 of each page says whose it is. */
static void make(struct space *s, uint32_t pages)
{
	link_tables(s);
	for (uint32_t i = 0; i < pages; i++) {
		s->pt[i] = (uint64_t)s->page[i] | USED;
		s->page[i][0] = (uint64_t)s;
	}
}

/* At CPL 0, as the next ones. */
static void switch_to(void *space)
{
	current = space;
	__asm__ volatile("mov %0, %%cr3" : : "r"(current->pml4) : "memory");
}

static struct space *child_of(struct space *parent)
{
	return parent + PARENTS;
}

/* The CR3 load flushes what is left of the parent's rights. */
static void fork(void *arg)
{
	struct space *parent = arg, *child = child_of(parent);

	link_tables(child);
	for (uint32_t i = 0; i < NANO_FORK_PAGES; i++) {
		uint64_t entry = parent->pt[i];

		if (entry & PTE_W) {
			entry &= ~PTE_W;
			parent->pt[i] = entry;
		}
		child->pt[i] = entry;
	}
	switch_to(child);
}

static void leave(void *arg)
{
	struct space *parent = arg, *child = child_of(parent);

	for (uint32_t i = 0; i < NANO_FORK_PAGES; i++)
		child->pt[i] = 0;
	child->pml4[1] = 0;
	switch_to(parent);
}

/* A page of the current process is not writable, and was written. */
static void written(uint64_t at)
{
	const uint32_t i = at / PAGE % ENTRIES;
	uint64_t *entry = &current->pt[i];

	if (current < spaces + PARENTS) {
		*entry |= PTE_W;
	} else {
		uint64_t from = *entry & PTE_ADDR, to = (uint64_t)current->page[i], n = ENTRIES;

		*entry = to | USED;
		__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
		__asm__ volatile("invlpg (%0)" : : "r"(at) : "memory");
	}
}

/* Word 1 tells whether a page was copied. */
static void fork_once(struct space *parent, uint64_t stamp)
{
	cost_at_cpl0(fork, parent);
	for (uint32_t i = 0; i < NANO_FORK_WRITTEN; i++) {
		mixed_up |= *word_of(i, 0) != (uint64_t)parent;
		*word_of(i, 1) = stamp;
	}
	cost_at_cpl0(leave, parent);
	for (uint32_t i = 0; i < NANO_FORK_WRITTEN; i++) {
		mixed_up |= *word_of(i, 1) != 0;
		*word_of(i, 2) = stamp;
	}
}

void run_fork(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		struct space *parent = spaces + i % nr;

		if (current != parent)
			cost_at_cpl0(switch_to, parent);
		fork_once(parent, i + 1);
	}
}

static void prepare_fork(uint32_t parents)
{
	nr = parents;
	nano_on_write = written;
	nano_handle(VEC_PF, nano_call);
	for (uint32_t i = 0; i < nr; i++)
		make(spaces + i, NANO_FORK_PAGES);
	run_fork(0, nr);
}

void prepare_fork_1(uint32_t most)
{
	prepare_fork(1);
}

void prepare_fork_32(uint32_t most)
{
	prepare_fork(PARENTS);
}

void run_ctx(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		struct space *s = spaces + i % nr;

		cost_at_cpl0(switch_to, s);
		for (uint32_t p = 0; p < NANO_CTX_TOUCHED; p++) {
			mixed_up |= *word_of(p, 0) != (uint64_t)s;
			*word_of(p, 1) = i;
		}
	}
}

static void prepare_ctx(uint32_t number)
{
	nr = number;
	for (uint32_t i = 0; i < nr; i++)
		make(spaces + i, NANO_CTX_TOUCHED);
	run_ctx(0, 2 * nr);
}

void prepare_ctx_2(uint32_t most)
{
	prepare_ctx(2);
}

void prepare_ctx_8(uint32_t most)
{
	prepare_ctx(8);
}

void prepare_ctx_64(uint32_t most)
{
	prepare_ctx(NANO_SPACES);
}

bool check_spaces(uint32_t n)
{
	return !mixed_up;
}
