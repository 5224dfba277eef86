/* SPDX-License-Identifier: MIT */
/*
 * fork: the child has what its parent had, and from then on neither sees what the other does, whoever is first, whether
 * their tables are shared or copied, and on whichever CPUs they are.
 */
#include "selftest_fork.h"

struct pact *pact;
volatile uint64_t *near, *far;

void await_step(uint64_t step)
{
	while (__atomic_load_n(&pact->step, __ATOMIC_SEQ_CST) < step)
		yield();
}

void step_done(uint64_t step)
{
	__atomic_store_n(&pact->step, step + 1, __ATOMIC_SEQ_CST);
}

static uint64_t begun_with; /* the flags of the areas, which last for several tests */

bool begin(uint64_t flags)
{
	if (!pact)
		pact = (struct pact *)mmap(sizeof(*pact), MMAP_SHARED);
	*pact = (struct pact){0};
	if (!near || flags != begun_with || flags & MMAP_LAZY) {
		begun_with = flags;
		near = (volatile uint64_t *)mmap(PAGES * PAGE_BYTES, flags | MMAP_APART);
		far = (volatile uint64_t *)mmap(PAGES * PAGE_BYTES, flags | MMAP_APART);
	}
	if ((int64_t)near < 0 || (int64_t)far < 0)
		return fail("no memory");
	for (uint64_t i = 0; i < PAGES && !(flags & MMAP_LAZY); i++)
		near[i * WORDS] = far[i * WORDS] = i + 1;
	return true;
}

bool both(int64_t on, int how, int (*child)(void), bool (*parent)(void))
{
	const int64_t id = fork(on, how);
	int64_t r;

	if (id == 0) {
		const int failed = child();

		if (failed)
			step_done(-2ull); /* the parent waits no longer */
		exit(failed);
	}
	if (id < 0)
		return fail("fork gave %d", id);
	if (parent && !parent())
		return false;
	r = wait();
	return r == id << 8 ? true : fail("the child failed at %d", r < 0 ? r : r & 0xff);
}

bool everywhere(uint64_t flags, int (*child)(void), bool (*parent)(void))
{
	return begin(flags) && both(SPAWN_HERE, FORK_SHARE, child, parent) && begin(flags) &&
	       both(cpus() - 1, FORK_SHARE, child, parent) && begin(flags) &&
	       both(SPAWN_HERE, FORK_COPY, child, parent);
}

bool holds(const volatile uint64_t *area, uint64_t except)
{
	for (uint64_t i = 0; i < PAGES; i++)
		if (i != except && area[i * WORDS] != i + 1)
			return false;
	return true;
}

/* The parent writes first, then the child, each where the other has not and where it has. */
static int child_writes(void)
{
	await_step(1);
	CHECK(1, holds(near, PAGES) && holds(far, PAGES));
	near[0] = 10;
	far[1 * WORDS] = 11;
	step_done(1);
	await_step(3);
	CHECK(2, near[0] == 10 && holds(near, 0));
	CHECK(3, far[1 * WORDS] == 11 && holds(far, 1));
	return 0;
}

static bool parent_writes(void)
{
	near[2 * WORDS] = 12;
	step_done(0);
	await_step(2);
	EXPECT_EQ(near[2 * WORDS], 12);
	EXPECT(holds(near, 2));
	EXPECT(holds(far, PAGES));
	near[0] = 13;
	far[3 * WORDS] = 14;
	step_done(2);
	return true;
}

static bool writes_stay(void)
{
	return everywhere(0, child_writes, parent_writes);
}

/* A page of 2 MiB is copied as a whole. */
static int child_writes_large(void)
{
	near[1 * WORDS] = 11;
	step_done(0);
	await_step(2);
	CHECK(1, near[1 * WORDS] == 11 && holds(near, 1));
	return 0;
}

static bool parent_writes_large(void)
{
	await_step(1);
	EXPECT(holds(near, PAGES));
	near[0] = 10;
	step_done(1);
	EXPECT(holds(near, 0));
	return true;
}

static bool large_pages(void)
{
	const bool ok = begin(MMAP_HUGE) && both(SPAWN_HERE, FORK_SHARE, child_writes_large, parent_writes_large);

	munmap(near, HUGE_BYTES);
	munmap(far, HUGE_BYTES);
	return ok;
}

/* Each side unmaps what the other keeps. */
static int child_unmaps(void)
{
	await_step(1);
	CHECK(1, holds(near, PAGES) && holds(far, PAGES));
	CHECK(2, munmap(&near[3 * WORDS], PAGE_BYTES) == 0);
	CHECK(3, faults(do_read, (uint64_t)&near[3 * WORDS], VEC_PF, PFEC_U));
	step_done(1);
	await_step(3);
	CHECK(4, holds(near, 3));
	far[1 * WORDS] = 1;
	return 0;
}

static bool parent_unmaps(void)
{
	EXPECT_EQ(munmap(&far[1 * WORDS], 2 * PAGE_BYTES), 0);
	EXPECT_FAULT(do_read, (uint64_t)&far[1 * WORDS], VEC_PF, PFEC_U);
	step_done(0);
	await_step(2);
	EXPECT_EQ(near[3 * WORDS], 4);
	EXPECT_EQ(munmap(near, PAGES * PAGE_BYTES), 0);
	EXPECT_EQ(munmap(far, PAGES * PAGE_BYTES), 0);
	near = NULL;
	step_done(2);
	return true;
}

static bool unmaps_stay(void)
{
	return everywhere(0, child_unmaps, parent_unmaps);
}

/* Rights are each side's own, and no page is ever writable and executable. */
static int child_protects(void)
{
	volatile uint8_t *code = (volatile uint8_t *)&near[1 * WORDS];

	await_step(1);
	CHECK(1, near[0] == 1);
	near[0] = 10;
	*code = 0xc3; /* ret */
	CHECK(2, mprotect(code, PAGE_BYTES, PROT_X) == 0);
	CHECK(3, faults(do_write, (uint64_t)code, VEC_PF, PFEC_P | PFEC_W | PFEC_U));
	do_fetch((uint64_t)code);
	step_done(1);
	await_step(3);
	CHECK(4, mprotect(code, PAGE_BYTES, PROT_W) == 0);
	do_write((uint64_t)code);
	CHECK(5, faults(do_fetch, (uint64_t)code, VEC_PF, PFEC_P | PFEC_U | PFEC_I));
	step_done(3);
	return 0;
}

static bool parent_protects(void)
{
	const uint64_t code = (uint64_t)&near[1 * WORDS];

	EXPECT_EQ(mprotect(near, PAGE_BYTES, 0), 0);
	EXPECT_FAULT(do_write, (uint64_t)near, VEC_PF, PFEC_P | PFEC_W | PFEC_U);
	step_done(0);
	await_step(2);
	EXPECT_EQ(near[0], 1);
	EXPECT_FAULT(do_fetch, code, VEC_PF, PFEC_P | PFEC_U | PFEC_I);
	EXPECT_EQ(near[1 * WORDS], 2);
	step_done(2);
	await_step(4);
	do_write(code);
	EXPECT_FAULT(do_write, (uint64_t)near, VEC_PF, PFEC_P | PFEC_W | PFEC_U);
	EXPECT_EQ(mprotect(near, PAGE_BYTES, PROT_W), 0);
	near[0] = 11;
	return true;
}

static bool rights_stay(void)
{
	return everywhere(0, child_protects, parent_protects);
}

/* Rights that a page gets while others have it do not let a write through to them. */
static int child_gets_rights(void)
{
	CHECK(1, mprotect(far, PAGES * PAGE_BYTES, 0) == 0 && mprotect(far, PAGES * PAGE_BYTES, PROT_W) == 0);
	far[0] = 10;
	CHECK(2, mprotect(near, PAGES * PAGE_BYTES, PROT_X) == 0);
	CHECK(3, faults(do_write, (uint64_t)near, VEC_PF, PFEC_P | PFEC_W | PFEC_U));
	CHECK(4, !(pte(near, 1) & PTE_W));
	step_done(0);
	return 0;
}

static bool parent_keeps(void)
{
	await_step(1);
	EXPECT(holds(near, PAGES));
	EXPECT(holds(far, PAGES));
	return true;
}

static bool new_rights_stay(void)
{
	return everywhere(0, child_gets_rights, parent_keeps);
}

/* A page that nobody has touched yet is each side's own. */
static int child_touches(void)
{
	await_step(1);
	CHECK(1, near[0] == 0 && near[1 * WORDS] == 0);
	near[1 * WORDS] = 11;
	near[2 * WORDS] = 12;
	step_done(1);
	await_step(3);
	CHECK(2, near[1 * WORDS] == 11 && near[2 * WORDS] == 12);
	return 0;
}

static bool parent_touches(void)
{
	near[1 * WORDS] = 10;
	step_done(0);
	await_step(2);
	EXPECT_EQ(near[1 * WORDS], 10);
	EXPECT_EQ(near[2 * WORDS], 0);
	step_done(2);
	return true;
}

static bool first_touches_stay(void)
{
	return everywhere(MMAP_LAZY, child_touches, parent_touches);
}

/* What the kernel and the VMM write into a program's memory is the program's own, too. */
static struct gnomon_walks *request(void)
{
	return (struct gnomon_walks *)(uint64_t)&far[8];
}

static int child_kernel_writes(void)
{
	CHECK(1, touch((uint64_t)near, TOUCH_WRITE) == 0);
	CHECK(2, near[0] == 0);
	CHECK(3, sys(SYS_WALKS, (uint64_t)request(), 0, 0) == 0);
	CHECK(4, request()->version == GNOMON_ABI_VERSION && request()->high != 1);
	step_done(0);
	return 0;
}

static bool parent_of_kernel_writes(void)
{
	await_step(1);
	EXPECT_EQ(request()->high, 1);
	return parent_keeps();
}

static bool kernel_writes_stay(void)
{
	for (int how = FORK_SHARE; how <= FORK_COPY; how++) {
		if (!begin(0))
			return false;
		*request() = (struct gnomon_walks){
		    .version = GNOMON_ABI_VERSION, .first = (uint64_t)far, .bytes = PAGE_BYTES, .high = 1};
		if (!both(cpus() - 1, how, child_kernel_writes, parent_of_kernel_writes))
			return false;
	}
	return true;
}

const struct test fork_tests[] = {
    {"fork-writes-stay", writes_stay},
    {"fork-large-pages", large_pages},
    {"fork-unmaps-stay", unmaps_stay},
    {"fork-rights-stay", rights_stay},
    {"fork-new-rights-stay", new_rights_stay},
    {"fork-first-touches-stay", first_touches_stay},
    {"fork-kernel-writes-stay", kernel_writes_stay},
    {0},
};
