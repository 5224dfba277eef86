/* SPDX-License-Identifier: MIT */
/*
 * A hostile kernel at the enclaves: any calls, with any arguments, in any order. Whatever it does, the invariants of the
 * third stage hold after each call, a call that fails changes no state, no page is free with anything left in it, and
 * at the end all secure memory is zero.
 *
 * Input: a byte for the depth of the third stage, then calls: a byte each for the call, the identifier, where, what.
 */
#include <stdlib.h>
#include <string.h>

#include "enclave/enclave.h"

#define PAGES 96
#define SIZE  (PAGES * PAGE_SIZE)
#define BASE  0x400000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[SIZE] __attribute__((aligned(4096)));
static uint8_t content[GNOMON_ENCLAVE_ADD_MAX * PAGE_SIZE];
static struct enclaves *all;
static uint64_t ticket;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* The host takes some, and some not. */
static bool discard(void *ctx, maddr_t at, uint64_t bytes)
{
	require(maddr_raw(at) + bytes <= SIZE);
	if (maddr_raw(at) / PAGE_SIZE % 2)
		return false;
	memset(memory + maddr_raw(at), 0, bytes);
	return true;
}

/* Odd addresses are as likely as good ones. */
static uint64_t address(uint8_t where)
{
	static const uint64_t odd[] = {0, 1, ~0ull, 1ull << 63, GNOMON_ENCLAVE_HIGHEST, BASE - PAGE_SIZE, BASE + 8};

	return where < 0xf0 ? BASE + (where & 0xf) * PAGE_SIZE : odd[where % 7];
}

static enum gnomon_enclave_status create(unsigned id, uint8_t where, uint8_t what)
{
	struct gnomon_enclave_create c = {
	    .base = where < 0x80 ? BASE : address(where),
	    .size = what < 0xf0 ? (1 + (what & 7)) * PAGE_SIZE : address(what),
	};

	c.entry = c.base + (where & 1 ? 8 : 0);
	c.stack = c.base + c.size;
	if (where & 2)
		c.buffer = c.base + c.size, c.buffer_size = PAGE_SIZE;
	if ((where & 0x74) == 0x74)
		(&c.base)[what % 7] = address(what ^ where);
	return enclave_create(all, id, &c);
}

/* One page or several, or an absurd number. What was allowed fails for want of memory alone. */
static enum gnomon_enclave_status add(unsigned id, uint8_t where, uint8_t what)
{
	struct enclave_batch b = {.va = address(where), .pages = what >> 6, .rights = what & 7};
	enum gnomon_enclave_status may, s;

	if (what & 8)
		b.pages = what & 0x10 ? address(what ^ where) : GNOMON_ENCLAVE_ADD_MAX + 1;
	if (what & 0x20)
		b.flags = what & 0x10 ? 1 : GNOMON_ENCLAVE_MEASURE;
	may = enclave_may_add(all, id, &b);
	s = enclave_add_batch(all, id, &b, content);
	require(s == may || (may == GNOMON_ENCLAVE_OK && s == GNOMON_ENCLAVE_NO_MEMORY));
	return s;
}

/* A status, and the state in which the enclave then is if that is OK. */
static enum gnomon_enclave_status step(unsigned id, uint8_t call, uint8_t where, uint8_t what)
{
	const uint64_t args[GNOMON_ENCLAVE_ARGS] = {what, where};
	struct gnomon_enclave_left left = {.ticket = ticket};
	enum gnomon_enclave_status s;

	memset(content, what | 1, sizeof(content));
	switch (call % 13) {
	case GNOMON_ENCLAVE_CREATE:
		return create(id, where, what);
	case GNOMON_ENCLAVE_ADD:
		return add(id, where, what);
	case GNOMON_ENCLAVE_EXTEND:
		return enclave_extend(all, id, address(where));
	case GNOMON_ENCLAVE_INIT:
		return enclave_init(all, id, what < 0xf0 ? NULL : content);
	case GNOMON_ENCLAVE_ENTER:
		return enclave_enter(all, id, BASE + (where & 1 ? 8 : 0), args);
	case GNOMON_ENCLAVE_RESUME:
		return enclave_resume(all, id, what < 0xc0 ? ticket : what, where);
	case GNOMON_ENCLAVE_REMOVE:
		return enclave_remove(all, id, address(where));
	case GNOMON_ENCLAVE_DESTROY:
		return enclave_destroy(all, id);
	case GNOMON_ENCLAVE_EXIT:
		return enclave_exit(all, id, what, &left);
	case GNOMON_ENCLAVE_CALL_OUT:
		s = enclave_call_out(all, id, what, args, &left);
		break;
	case GNOMON_ENCLAVE_AEX:
		s = enclave_interrupted(all, id, &left);
		break;
	default:
		s = enclave_faulted(all, id, what, address(where) + 5, &left);
		require(left.address % PAGE_SIZE == 0);
	}
	ticket = left.ticket;
	return s;
}

/* All of what can be seen of one, in a number of bytes that can be compared. */
static void look(unsigned id, struct enclave_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	(void)enclave_look(all, id, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *what;

	if (!size)
		return 0;
	all = enclaves_create(&(struct enclaves_config){
	    .memory = memory,
	    .size = SIZE,
	    .levels = 1 << data[0] % 3,
	    .buffers = maddr_init(SIZE),
	    .discard = discard,
	});
	require(all);
	ticket = 0;
	for (size_t i = 1; i + 4 <= size; i += 4) {
		const unsigned id = data[i + 1] < 0xf0 ? 1 + data[i + 1] % 4 : data[i + 1] - 0xf8u;
		struct enclave_info before, after;
		enum gnomon_enclave_status s;

		if (data[i + 2] & 0x80)
			(void)enclaves_measure_due(all);
		look(id, &before);
		s = step(id, data[i], data[i + 2], data[i + 3]);
		require(s < GNOMON_ENCLAVE_NR_STATUS);
		require(enclave_audit(all, &what) == 0);
		look(id, &after);
		if (s != GNOMON_ENCLAVE_OK)
			require(before.state == after.state && before.pages == after.pages &&
			        before.entries == after.entries);
	}
	enclaves_destroy(all);
	for (size_t i = 0; i < SIZE; i++)
		require(memory[i] == 0);
	return 0;
}
