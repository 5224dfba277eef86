/* SPDX-License-Identifier: MIT */
#include "enclave_world.h"

#include <stdlib.h>
#include <string.h>

#define STUB_VA 0xfffffe0000000000ull

struct ew ew;
uint64_t ew_ticket;

/* As the host: what it takes is zero when it comes again. */
static bool discard(void *ctx, maddr_t at, uint64_t size)
{
	if (ew.refuses)
		return false;
	memset(ew.memory + maddr_raw(at), 0, size);
	ew.discarded += size;
	ew.discards++;
	return true;
}

void ew_begin(int levels)
{
	const struct enclave_fixed stub = {
	    .va = STUB_VA,
	    .size = 2 * PAGE_SIZE,
	    .maddr = maddr_init(EW_SIZE),
	    .attrs = PT_R | PT_X,
	};

	ew = (struct ew){.memory = calloc(1, EW_SIZE)};
	cr_assert(ew.memory);
	ew.all = enclaves_create(&(struct enclaves_config){
	    .memory = ew.memory,
	    .size = EW_SIZE,
	    .levels = levels,
	    .buffers = maddr_init(1ull << 32),
	    .fixed = &stub,
	    .nr_fixed = 1,
	    .discard = discard,
	});
	cr_assert(ew.all);
}

void ew_end(void)
{
	enclaves_destroy(ew.all);
	for (uint64_t i = 0; i < EW_SIZE; i++)
		cr_assert_eq(ew.memory[i], 0, "something is left at %#llx", (unsigned long long)i);
	free(ew.memory);
}

struct gnomon_enclave_create ew_create(uint64_t pages)
{
	return (struct gnomon_enclave_create){
	    .base = EW_BASE,
	    .size = pages * PAGE_SIZE,
	    .entry = EW_BASE + 8,
	    .stack = EW_BASE + pages * PAGE_SIZE,
	    .buffer = EW_BUFFER,
	    .buffer_size = PAGE_SIZE,
	};
}

const void *ew_page(unsigned n)
{
	static uint8_t page[PAGE_SIZE];

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		page[i] = i * 7 + n + 1;
	return page;
}

void ew_audit(void)
{
	const char *what;

	cr_assert_eq(enclave_audit(ew.all, &what), 0, "%s", what);
}

static void build(unsigned id)
{
	const struct gnomon_enclave_create create = ew_create(4);

	ew_ok(enclave_create(ew.all, id, &create));
	ew_ok(enclave_add(ew.all, id, EW_BASE, GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X, ew_page(0)));
	ew_ok(enclave_add(ew.all, id, EW_BASE + PAGE_SIZE, GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W, ew_page(1)));
	ew_ok(enclave_add(ew.all, id, EW_BASE + 2 * PAGE_SIZE, GNOMON_ENCLAVE_R, ew_page(2)));
	ew_ok(enclave_extend(ew.all, id, EW_BASE));
	ew_ok(enclave_extend(ew.all, id, EW_BASE + PAGE_SIZE));
}

void ew_bring_to(unsigned id, enum enclave_state state)
{
	const uint64_t args[GNOMON_ENCLAVE_ARGS] = {1, 2, 3, 4};
	struct gnomon_enclave_left left = {.ticket = 0};

	if (state >= ENCLAVE_BUILDING)
		build(id);
	if (state >= ENCLAVE_READY)
		ew_ok(enclave_init(ew.all, id, NULL));
	if (state >= ENCLAVE_RUNNING)
		ew_ok(enclave_enter(ew.all, id, EW_BASE + 8, args));
	if (state == ENCLAVE_CALLED_OUT)
		ew_ok(enclave_call_out(ew.all, id, 9, args, &left));
	if (state == ENCLAVE_INTERRUPTED)
		ew_ok(enclave_interrupted(ew.all, id, &left));
	ew_ticket = left.ticket;
}

enum enclave_state ew_state(unsigned id)
{
	struct enclave_info info;

	return enclave_look(ew.all, id, &info) ? info.state : ENCLAVE_NONE;
}
