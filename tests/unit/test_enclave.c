/* SPDX-License-Identifier: MIT */
/*
 * The arguments of the enclaves' calls. What is protected here: each precondition, failing alone, gives its own error,
 * and of two that fail the earlier; a call that fails changes nothing; what comes out of an enclave is what it may tell. ew_expect() audits after each call.
 */
#include <errno.h>
#include <string.h>

#include "enclave_world.h"

#define R  GNOMON_ENCLAVE_R
#define RW (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)
#define RX (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)

static void begin(void)
{
	ew_begin(4);
}

TestSuite(enclave, .init = begin, .fini = ew_end);

static const uint64_t no_args[GNOMON_ENCLAVE_ARGS];
static struct gnomon_enclave_left left;

/* Each argument of CREATE, wrong alone: its own error. And with all that come after it wrong as well: the same. */
Test(enclave, arguments_of_create)
{
	const uint64_t top = GNOMON_ENCLAVE_HIGHEST;
	const struct {
		struct gnomon_enclave_create bad;
		enum gnomon_enclave_status status;
	} cases[] = {
	    {{.base = EW_BASE + 1}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.base = 0xf000}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.base = top}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.base = top - PAGE_SIZE}, GNOMON_ENCLAVE_BAD_RANGE}, /* four pages do not fit */
	    {{.base = 0xffff800000000000}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.size = PAGE_SIZE + 1}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.size = 1ull << 63}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.size = -PAGE_SIZE}, GNOMON_ENCLAVE_BAD_RANGE},
	    {{.entry = EW_BASE - 1}, GNOMON_ENCLAVE_BAD_ENTRY},
	    {{.entry = EW_BASE + 4 * PAGE_SIZE}, GNOMON_ENCLAVE_BAD_ENTRY},
	    {{.stack = EW_BASE}, GNOMON_ENCLAVE_BAD_STACK},
	    {{.stack = EW_BASE + 4 * PAGE_SIZE + 16}, GNOMON_ENCLAVE_BAD_STACK},
	    {{.stack = EW_BASE + 8}, GNOMON_ENCLAVE_BAD_STACK},
	    {{.buffer = EW_BASE}, GNOMON_ENCLAVE_BAD_BUFFER},
	    {{.buffer = EW_BASE + 3 * PAGE_SIZE}, GNOMON_ENCLAVE_BAD_BUFFER},
	    {{.buffer = EW_BUFFER + 1}, GNOMON_ENCLAVE_BAD_BUFFER},
	    {{.buffer_size = GNOMON_ENCLAVE_BUFFER_MAX + PAGE_SIZE}, GNOMON_ENCLAVE_BAD_BUFFER},
	    {{.buffer_size = 1}, GNOMON_ENCLAVE_BAD_BUFFER},
	    {{.flags = 1}, GNOMON_ENCLAVE_BAD_FLAGS},
	    {{.flags = 1ull << 63}, GNOMON_ENCLAVE_BAD_FLAGS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct gnomon_enclave_create *bad = &cases[i].bad;
		struct gnomon_enclave_create c = ew_create(4);
		uint64_t *field = &c.base;

		for (int n = 0; n < 7; n++)
			if ((&bad->base)[n])
				field[n] = (&bad->base)[n];
		ew_expect(enclave_create(ew.all, 1, &c), cases[i].status);
		for (int n = 6; n > 0 && !(&bad->base)[n]; n--)
			field[n] = n == 1 ? c.size : 1; /* wrong as well, but later */
		ew_expect(enclave_create(ew.all, 1, &c), cases[i].status);
		cr_expect_eq(ew_state(1), ENCLAVE_NONE);
	}
}

/* The largest that fits does; one page more does not, and leaves nothing behind. */
Test(enclave, secure_memory_ends)
{
	struct gnomon_enclave_create c = ew_create(1);
	uint64_t pages = EW_PAGES;

	while (c.size = pages * PAGE_SIZE, enclave_create(ew.all, 1, &c) == GNOMON_ENCLAVE_NO_MEMORY)
		pages--;
	cr_expect_gt(pages, EW_PAGES - 24);
	ew_audit();
	c = ew_create(1);
	ew_expect(enclave_create(ew.all, 2, &c), GNOMON_ENCLAVE_NO_MEMORY);
	ew_ok(enclave_destroy(ew.all, 1));
	ew_ok(enclave_create(ew.all, 2, &c));
	c.size = GNOMON_ENCLAVE_HIGHEST - EW_BASE;
	c.buffer = c.buffer_size = 0;
	ew_expect(enclave_create(ew.all, 1, &c), GNOMON_ENCLAVE_NO_MEMORY);
}

Test(enclave, arguments_of_add)
{
	static const uint64_t bad[] = {0,     1,        EW_BASE - PAGE_SIZE, EW_BASE + 4 * PAGE_SIZE, EW_BASE + 8,
	                               ~0ull, EW_BUFFER};
	static const unsigned good[] = {R, RW, RX};

	ew_bring_to(1, ENCLAVE_BUILDING);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ew_expect(enclave_add(ew.all, 1, bad[i], 0, ew_page(0)), GNOMON_ENCLAVE_BAD_ADDRESS);
	for (unsigned rights = 0; rights < 64; rights++)
		if (rights != R && rights != RW && rights != RX)
			ew_expect(enclave_add(ew.all, 1, EW_BASE, rights, ew_page(0)), GNOMON_ENCLAVE_BAD_RIGHTS);
	ew_expect(enclave_add(ew.all, 1, EW_BASE, R, ew_page(0)), GNOMON_ENCLAVE_PAGE_EXISTS);
	ew_expect(enclave_may_add(ew.all, 1, &(struct enclave_batch){.va = EW_BASE, .rights = R}),
	          GNOMON_ENCLAVE_PAGE_EXISTS);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ew_ok(enclave_may_add(ew.all, 1,
		                      &(struct enclave_batch){.va = EW_BASE + 3 * PAGE_SIZE, .rights = good[i]}));
		ew_ok(enclave_add(ew.all, 1, EW_BASE + 3 * PAGE_SIZE, good[i], ew_page(3)));
		ew_ok(enclave_remove(ew.all, 1, EW_BASE + 3 * PAGE_SIZE));
	}
}

/* All pages of a batch, or none. */
Test(enclave, batches)
{
	static const struct {
		uint64_t page, pages, rights, flags;
		enum gnomon_enclave_status s;
	} bad[] = {
	    {3, 1ull << 63, R, 0, GNOMON_ENCLAVE_BAD_ADDRESS},
	    {3, 198, 0, 0, GNOMON_ENCLAVE_BAD_ADDRESS},
	    {3, 197, 0, 1, GNOMON_ENCLAVE_BAD_RIGHTS},
	    {3, 197, 1ull << 32 | R, 0, GNOMON_ENCLAVE_BAD_RIGHTS},
	    {3, GNOMON_ENCLAVE_ADD_MAX + 1, R, 1, GNOMON_ENCLAVE_BAD_COUNT},
	    {3, GNOMON_ENCLAVE_ADD_MAX, R, 1, GNOMON_ENCLAVE_BAD_FLAGS},
	    {0, 6, R, 0, GNOMON_ENCLAVE_PAGE_EXISTS},
	    {4, 3, R, GNOMON_ENCLAVE_MEASURE, GNOMON_ENCLAVE_PAGE_EXISTS},
	};
	static uint8_t content[GNOMON_ENCLAVE_ADD_MAX * PAGE_SIZE];
	const struct enclave_batch good = {EW_BASE + 6 * PAGE_SIZE, GNOMON_ENCLAVE_ADD_MAX, R, GNOMON_ENCLAVE_MEASURE};
	const struct gnomon_enclave_create c = ew_create(200);
	struct enclave_info info;

	ew_ok(enclave_create(ew.all, 1, &c));
	ew_ok(enclave_add(ew.all, 1, EW_BASE + 5 * PAGE_SIZE, R, ew_page(0)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct enclave_batch b = {EW_BASE + bad[i].page * PAGE_SIZE, bad[i].pages, bad[i].rights,
		                                bad[i].flags};

		ew_expect(enclave_may_add(ew.all, 1, &b), bad[i].s);
		ew_expect(enclave_add_batch(ew.all, 1, &b, content), bad[i].s);
		cr_assert(enclave_look(ew.all, 1, &info));
		cr_expect_eq(info.pages, 1);
	}
	ew_ok(enclave_add_batch(ew.all, 1, &good, content));
	cr_assert(enclave_look(ew.all, 1, &info));
	cr_expect_eq(info.pages, 1 + GNOMON_ENCLAVE_ADD_MAX);
	ew_expect(enclave_extend(ew.all, 1, EW_BASE + 6 * PAGE_SIZE), GNOMON_ENCLAVE_MEASURED);
	ew_ok(enclave_destroy(ew.all, 1));
}

Test(enclave, arguments_of_extend_and_remove)
{
	ew_bring_to(1, ENCLAVE_BUILDING);
	ew_expect(enclave_extend(ew.all, 1, EW_BASE + 1), GNOMON_ENCLAVE_BAD_ADDRESS);
	ew_expect(enclave_extend(ew.all, 1, EW_BASE + 4 * PAGE_SIZE), GNOMON_ENCLAVE_BAD_ADDRESS);
	ew_expect(enclave_extend(ew.all, 1, EW_BASE + 3 * PAGE_SIZE), GNOMON_ENCLAVE_NO_PAGE);
	ew_expect(enclave_extend(ew.all, 1, EW_BASE), GNOMON_ENCLAVE_MEASURED);
	ew_expect(enclave_remove(ew.all, 1, EW_BASE + 1), GNOMON_ENCLAVE_BAD_ADDRESS);
	ew_expect(enclave_remove(ew.all, 1, EW_BASE + 3 * PAGE_SIZE), GNOMON_ENCLAVE_NO_PAGE);
	ew_ok(enclave_remove(ew.all, 1, EW_BASE));
	ew_expect(enclave_remove(ew.all, 1, EW_BASE), GNOMON_ENCLAVE_NO_PAGE);
}

/* Entered must be a page that can be executed; the measurement is compared last. */
Test(enclave, arguments_of_init)
{
	uint8_t wrong[GNOMON_ENCLAVE_MEASUREMENT] = {0};
	struct gnomon_enclave_create c = ew_create(4);
	struct enclave_info info;

	ew_ok(enclave_create(ew.all, 2, &c));
	ew_expect(enclave_init(ew.all, 2, wrong), GNOMON_ENCLAVE_BAD_ENTRY);
	ew_ok(enclave_add(ew.all, 2, EW_BASE, RW, ew_page(0)));
	ew_expect(enclave_init(ew.all, 2, NULL), GNOMON_ENCLAVE_BAD_ENTRY);
	ew_bring_to(1, ENCLAVE_BUILDING);
	ew_expect(enclave_init(ew.all, 1, wrong), GNOMON_ENCLAVE_BAD_MEASUREMENT);
	cr_expect_eq(ew_state(1), ENCLAVE_BUILDING);
	ew_ok(enclave_init(ew.all, 1, NULL));
	cr_assert(enclave_look(ew.all, 1, &info));
	ew_ok(enclave_destroy(ew.all, 1));
	ew_bring_to(1, ENCLAVE_BUILDING);
	ew_ok(enclave_init(ew.all, 1, info.measurement));
}

Test(enclave, enter_only_where_declared)
{
	ew_bring_to(1, ENCLAVE_READY);
	for (int off = -8; off <= 8; off++)
		if (off)
			ew_expect(enclave_enter(ew.all, 1, EW_BASE + 8 + off, no_args), GNOMON_ENCLAVE_BAD_ENTRY);
	ew_expect(enclave_enter(ew.all, 1, 0, no_args), GNOMON_ENCLAVE_BAD_ENTRY);
	ew_ok(enclave_enter(ew.all, 1, EW_BASE + 8, no_args));
	ew_expect(enclave_enter(ew.all, 1, EW_BASE + 8, no_args), GNOMON_ENCLAVE_BUSY);
}

/* A ticket is of one exit of one enclave, and good once. */
Test(enclave, tickets)
{
	uint64_t stale, foreign;

	ew_bring_to(2, ENCLAVE_INTERRUPTED);
	foreign = ew_ticket;
	ew_bring_to(1, ENCLAVE_INTERRUPTED);
	stale = ew_ticket;
	cr_expect_neq(stale, foreign);
	ew_expect(enclave_resume(ew.all, 1, 0, 0), GNOMON_ENCLAVE_BAD_TICKET);
	ew_expect(enclave_resume(ew.all, 1, stale + 1, 0), GNOMON_ENCLAVE_BAD_TICKET);
	ew_expect(enclave_resume(ew.all, 1, foreign, 0), GNOMON_ENCLAVE_BAD_TICKET);
	ew_ok(enclave_resume(ew.all, 1, stale, 0));
	ew_expect(enclave_resume(ew.all, 1, stale, 0), GNOMON_ENCLAVE_BUSY);
	ew_ok(enclave_interrupted(ew.all, 1, &left));
	ew_expect(enclave_resume(ew.all, 1, stale, 0), GNOMON_ENCLAVE_BAD_TICKET);
	ew_ok(enclave_resume(ew.all, 1, left.ticket, 0));
	ew_ok(enclave_exit(ew.all, 1, 7, &left));
	cr_expect_eq(left.ticket, 0);
	ew_expect(enclave_resume(ew.all, 1, 0, 0), GNOMON_ENCLAVE_NOT_LEFT);
	ew_ok(enclave_destroy(ew.all, 2)); /* and an enclave's ticket does not outlive it */
	ew_bring_to(2, ENCLAVE_INTERRUPTED);
	ew_expect(enclave_resume(ew.all, 2, foreign, 0), GNOMON_ENCLAVE_BAD_TICKET);
}

/* What the kernel learns of an exit, and no more. */
Test(enclave, what_an_exit_tells)
{
	const uint64_t args[GNOMON_ENCLAVE_ARGS] = {11, 12, 13, 14};
	struct enclave_context *c;

	ew_bring_to(1, ENCLAVE_RUNNING);
	c = enclave_context(ew.all, 1);
	cr_assert(c);
	cr_expect_eq(c->rip, EW_BASE + 8);
	cr_expect_eq(c->gpr[7], 1, "RDI");
	for (int i = 0; i < 16; i++)
		c->gpr[i] = 0x5ec2e7;
	c->rip = EW_BASE + 0x123;
	ew_ok(enclave_interrupted(ew.all, 1, &left));
	cr_expect_eq(left.reason, GNOMON_ENCLAVE_INTERRUPTED);
	cr_expect_eq(left.value | left.address | left.args[0] | left.args[3] | left.zero, 0);
	cr_expect_null(enclave_context(ew.all, 1));
	ew_ok(enclave_resume(ew.all, 1, left.ticket, 99));
	cr_expect_eq(enclave_context(ew.all, 1)->gpr[0], 0x5ec2e7, "an interrupt has no result");
	ew_ok(enclave_faulted(ew.all, 1, 14, EW_BASE + 0x1234, &left));
	cr_expect_eq(left.value, 14);
	cr_expect_eq(left.address, EW_BASE + PAGE_SIZE, "only the page");
	ew_ok(enclave_resume(ew.all, 1, left.ticket, 0));
	cr_expect_eq(enclave_context(ew.all, 1)->rip, EW_BASE + 0x123);
	ew_ok(enclave_call_out(ew.all, 1, 42, args, &left));
	cr_expect_eq(left.value, 42);
	cr_expect_arr_eq(left.args, args, sizeof(args));
	ew_ok(enclave_resume(ew.all, 1, left.ticket, 99));
	cr_expect_eq(enclave_context(ew.all, 1)->gpr[0], 99);
	ew_ok(enclave_exit(ew.all, 1, 5, &left));
	cr_expect_eq(left.value, 5);
	ew_ok(enclave_enter(ew.all, 1, EW_BASE + 8, no_args));
	c = enclave_context(ew.all, 1);
	cr_expect_eq(c->gpr[1] | c->gpr[3] | c->gpr[15], 0, "nothing is left of the last run");
}

/* Frames go back, the whole of them, and all that an enclave has with one call. */
Test(enclave, everything_goes_back)
{
	struct enclave_info info;

	ew_bring_to(1, ENCLAVE_INTERRUPTED);
	cr_assert(enclave_look(ew.all, 1, &info));
	cr_expect_eq(info.pages, 3);
	ew_ok(enclave_remove(ew.all, 1, EW_BASE + PAGE_SIZE));
	cr_expect_eq(ew.discarded, PAGE_SIZE);
	ew_ok(enclave_destroy(ew.all, 1));
	cr_expect_eq(ew.discarded, PAGE_SIZE + info.size);
	cr_expect_eq(ew.discards, 2);
}

static bool is_zero(uint64_t at, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (ew.memory[at + i])
			return false;
	return true;
}

/* What the host does not take is erased, pages and tables. */
Test(enclave, everything_is_erased)
{
	struct enclave_info info;

	ew.refuses = true;
	ew_bring_to(1, ENCLAVE_INTERRUPTED);
	cr_assert(enclave_look(ew.all, 1, &info));
	cr_expect_not(is_zero(maddr_raw(info.memory) + PAGE_SIZE, PAGE_SIZE));
	ew_ok(enclave_remove(ew.all, 1, EW_BASE + PAGE_SIZE));
	cr_expect(is_zero(maddr_raw(info.memory) + PAGE_SIZE, PAGE_SIZE));
	ew_ok(enclave_destroy(ew.all, 1));
	cr_expect(is_zero(maddr_raw(info.memory), info.size));
	cr_expect_eq(ew.discarded, 0);
}

static uint64_t claimed_at, claimed_size;

static void claim(void *ctx, maddr_t at, uint64_t size)
{
	claimed_at = maddr_raw(at);
	claimed_size = size;
}

/* What fills 2 MiB begins on a boundary of that, while there is such a place; the host hears of each run. */
Test(enclave, large_runs_begin_where_huge_pages_do)
{
	const uint64_t pages[] = {1, 600, 1, 512};
	uint8_t *memory = calloc(4, PAGE_2M);
	struct enclaves *all = enclaves_create(&(struct enclaves_config){
	    .memory = memory, .size = 4 * PAGE_2M, .levels = 2, .buffers = maddr_init(1ull << 32), .claim = claim});
	uint64_t at[4], end[4];
	struct enclave_info info;

	cr_assert(memory && all);
	for (unsigned i = 0; i < 4; i++) {
		struct gnomon_enclave_create create = ew_create(pages[i]);

		create.buffer = create.buffer_size = 0;
		cr_assert_eq(enclave_create(all, i + 1, &create), GNOMON_ENCLAVE_OK);
		cr_assert(enclave_look(all, i + 1, &info));
		cr_expect_eq(maddr_raw(info.memory), claimed_at);
		cr_expect_eq(info.size, claimed_size);
		at[i] = claimed_at;
		end[i] = claimed_at + claimed_size;
	}
	cr_expect_eq(at[0], 0);
	cr_expect_eq(at[1], PAGE_2M);
	cr_expect_eq(at[2], end[0], "a small one needs no boundary");
	cr_expect_eq(at[3], end[1], "with its tables it does not fit behind the last boundary");
	enclaves_destroy(all);
	free(memory);
}

Test(enclave, bad_configurations)
{
	const struct enclaves_config good = {
	    .memory = ew.memory, .size = EW_SIZE, .levels = 1, .buffers = maddr_init(EW_SIZE)};
	struct enclaves_config c;

	c = good, c.levels = 3;
	cr_expect_null(enclaves_create(&c));
	cr_expect_eq(errno, EINVAL);
	c = good, c.size = 0;
	cr_expect_null(enclaves_create(&c));
	c = good, c.size = PAGE_SIZE + 1;
	cr_expect_null(enclaves_create(&c));
	c = good, c.buffers = maddr_init(0);
	cr_expect_null(enclaves_create(&c));
	enclaves_destroy(NULL);
}
