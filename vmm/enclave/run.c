/* SPDX-License-Identifier: MIT */
/*
 * Into the enclave and out of it. Its registers stay here: what the kernel learns is a reason, and the values that the
 * enclave chose to give. Of an interrupt it learns nothing, of a fault the vector and the page.
 *
 * A ticket is good for one RESUME after the exit that gave it. It is random, so that a kernel that lost it cannot find
 * it; that it cannot be used twice, or with another enclave, rests on the comparison here.
 */
#include <sodium.h>
#include <string.h>

#include "enclave/internal.h"

#define RFLAGS_AT_ENTRY 0x202 /* IF, and the bit that is always 1 */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static const uint8_t arg_register[GNOMON_ENCLAVE_ARGS] = {RDI, RSI, RDX, RCX};

static uint64_t new_ticket(void)
{
	uint64_t ticket;

	do
		randombytes_buf(&ticket, sizeof(ticket));
	while (!ticket);
	return ticket;
}

static void start_context(struct enclave *e, const uint64_t args[GNOMON_ENCLAVE_ARGS])
{
	struct enclave_context *c = &e->context;

	memset(c, 0, sizeof(*c));
	c->rip = e->create.entry;
	c->rflags = RFLAGS_AT_ENTRY;
	c->begins = true;
	c->gpr[RSP] = e->create.stack;
	for (int i = 0; i < GNOMON_ENCLAVE_ARGS; i++)
		c->gpr[arg_register[i]] = args[i];
}

enum gnomon_enclave_status enclave_enter(struct enclaves *all, unsigned id, uint64_t entry,
                                         const uint64_t args[GNOMON_ENCLAVE_ARGS])
{
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_ENTER, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	if (entry != e->create.entry)
		return GNOMON_ENCLAVE_BAD_ENTRY;
	start_context(e, args);
	e->state = ENCLAVE_RUNNING;
	e->entries++;
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_resume(struct enclaves *all, unsigned id, uint64_t ticket, uint64_t result)
{
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_RESUME, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	if (ticket != e->ticket)
		return GNOMON_ENCLAVE_BAD_TICKET;
	if (e->state == ENCLAVE_CALLED_OUT)
		e->context.gpr[RAX] = result;
	e->ticket = 0;
	e->state = ENCLAVE_RUNNING;
	e->entries++;
	return GNOMON_ENCLAVE_OK;
}

struct enclave_context *enclave_context(struct enclaves *all, unsigned id)
{
	struct enclave *e = id <= GNOMON_ENCLAVE_MAX ? all->enclave[id] : NULL;

	return e && e->state == ENCLAVE_RUNNING ? &e->context : NULL;
}

void *enclave_writable(const struct enclaves *all, unsigned id, uint64_t va, uint64_t size)
{
	const struct enclave *e = id <= GNOMON_ENCLAVE_MAX ? all->enclave[id] : NULL;
	const struct enclave_page *page;

	if (!e || e->state != ENCLAVE_RUNNING || va < e->create.base || va - e->create.base >= e->create.size ||
	    !size || size > PAGE_SIZE - page_offset(va))
		return NULL;
	page = &e->page[(va - e->create.base) / PAGE_SIZE];
	return page->added && page->rights & PT_W
	           ? (uint8_t *)enclave_memory(all, enclave_frame_of(e, va)) + page_offset(va)
	           : NULL;
}

/* The running enclave becomes one that was left. NULL: it does not run. */
static struct enclave *leave(struct enclaves *all, unsigned id, enum gnomon_enclave_call call,
                             enum gnomon_enclave_reason reason, struct gnomon_enclave_left *ret_left)
{
	struct enclave *e;

	if (enclave_find(all, id, call, &e) != GNOMON_ENCLAVE_OK)
		return NULL;
	e->ticket = call == GNOMON_ENCLAVE_EXIT ? 0 : new_ticket();
	e->exits[reason]++;
	*ret_left = (struct gnomon_enclave_left){.reason = reason, .ticket = e->ticket};
	return e;
}

enum gnomon_enclave_status enclave_exit(struct enclaves *all, unsigned id, uint64_t value,
                                        struct gnomon_enclave_left *ret_left)
{
	struct enclave *e = leave(all, id, GNOMON_ENCLAVE_EXIT, GNOMON_ENCLAVE_EXITED, ret_left);

	if (!e)
		return GNOMON_ENCLAVE_NOT_RUNNING;
	ret_left->value = value;
	sodium_memzero(&e->context, sizeof(e->context)); /* the next ENTER begins anew */
	e->state = ENCLAVE_READY;
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_call_out(struct enclaves *all, unsigned id, uint64_t number,
                                            const uint64_t args[GNOMON_ENCLAVE_ARGS],
                                            struct gnomon_enclave_left *ret_left)
{
	struct enclave *e = leave(all, id, GNOMON_ENCLAVE_CALL_OUT, GNOMON_ENCLAVE_CALLED_OUT, ret_left);

	if (!e)
		return GNOMON_ENCLAVE_NOT_RUNNING;
	ret_left->value = number;
	memcpy(ret_left->args, args, sizeof(ret_left->args));
	e->state = ENCLAVE_CALLED_OUT;
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_interrupted(struct enclaves *all, unsigned id, struct gnomon_enclave_left *ret_left)
{
	struct enclave *e = leave(all, id, GNOMON_ENCLAVE_AEX, GNOMON_ENCLAVE_INTERRUPTED, ret_left);

	if (!e)
		return GNOMON_ENCLAVE_NOT_RUNNING;
	e->state = ENCLAVE_INTERRUPTED;
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_faulted(struct enclaves *all, unsigned id, unsigned vector, uint64_t address,
                                           struct gnomon_enclave_left *ret_left)
{
	struct enclave *e = leave(all, id, GNOMON_ENCLAVE_AEX, GNOMON_ENCLAVE_FAULTED, ret_left);

	if (!e)
		return GNOMON_ENCLAVE_NOT_RUNNING;
	ret_left->value = vector;
	ret_left->address = address & PAGE_MASK;
	e->state = ENCLAVE_INTERRUPTED;
	return GNOMON_ENCLAVE_OK;
}
