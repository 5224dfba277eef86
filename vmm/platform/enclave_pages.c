/* SPDX-License-Identifier: MIT */
/* Memory on its way between the guest and its enclaves. The guest has what an enclave has not, and never both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/enclave_parts.h"
#include "vm/lend.h"
#include "vm/reclaim.h"

#define BUFFER_AT(id) ((uint64_t)(id)*GNOMON_ENCLAVE_BUFFER_MAX)

/* Of vm/lend.h. */
static enum gnomon_enclave_status status_of(int r)
{
	return r == 0 ? GNOMON_ENCLAVE_OK : r == -ENOMEM ? GNOMON_ENCLAVE_NO_MEMORY : GNOMON_ENCLAVE_BAD_PAGE;
}

static void host_failed(struct vm *vm, int r, const char *what)
{
	(void)log_errno(-r, "%s", what);
	vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

static void give_back(struct vm *vm, uint64_t gpa, uint64_t size, const void *content)
{
	const int r = VM_PATIENTLY(vm, vm_give_back(vm, gpa_init(gpa), size, content));

	if (r < 0 && !vm_has_ended(vm))
		host_failed(vm, r, "the host has no memory for pages that come back from an enclave");
}

/* ---- buffers ---- */

/* The guest's own pages become the buffer, as zeroes. */
static enum gnomon_enclave_status share_buffer(struct platform_enclaves *e, const struct gnomon_enclave_request *q)
{
	struct vm *vm = e->vm;
	const uint64_t size = q->create.buffer_size;
	int r;

	if (!size)
		return GNOMON_ENCLAVE_OK;
	if (size > GNOMON_ENCLAVE_BUFFER_MAX) /* whatever the monitor says: another's lies behind it */
		return GNOMON_ENCLAVE_BAD_BUFFER;
	r = monitor_clear_buffer(e->monitor, q->id);
	if (r == 0)
		r = VM_PATIENTLY(
		    vm, vm_share(vm, gpa_init(q->gpa), size, q->id, monitor_buffers_fd(e->monitor), BUFFER_AT(q->id)));
	return status_of(r);
}

static void unshare_buffer(struct platform_enclaves *e, unsigned id)
{
	struct enclave_pages *p = &e->pages[id];
	struct vm *vm = e->vm;
	int r = 0;

	if (p->buffer_size)
		r = VM_PATIENTLY(vm, vm_unshare(vm, p->buffer, p->buffer_size));
	if (r == 0 && p->buffer_size)
		r = monitor_clear_buffer(e->monitor, id);
	if (r < 0 && !vm_has_ended(vm))
		host_failed(vm, r, "the host has no memory in place of a marshalling buffer");
	p->buffer_size = 0;
}

/* ---- calls ---- */

static void forget(struct enclave_pages *p)
{
	free(p->gpa);
	*p = (struct enclave_pages){0};
}

enum gnomon_enclave_status platform_enclave_create(struct platform_enclaves *e, int slot,
                                                   const struct gnomon_enclave_request *q)
{
	const enum gnomon_enclave_status s = platform_enclave_ask(e, slot, MONITOR_CREATE, q);
	enum gnomon_enclave_status shared;
	struct enclave_pages *p;

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	p = &e->pages[q->id]; /* the monitor has checked it, and that its size is no more than secure memory */
	*p = (struct enclave_pages){.base = q->create.base, .nr = q->create.size / PAGE_SIZE};
	p->gpa = malloc(p->nr * sizeof(*p->gpa));
	shared = p->gpa ? share_buffer(e, q) : GNOMON_ENCLAVE_NO_MEMORY;
	if (shared != GNOMON_ENCLAVE_OK) {
		(void)platform_enclave_ask(e, slot, MONITOR_DESTROY, q);
		forget(p);
		return shared == GNOMON_ENCLAVE_BAD_PAGE ? GNOMON_ENCLAVE_BAD_BUFFER : shared;
	}
	memset(p->gpa, 0xff, p->nr * sizeof(*p->gpa));
	p->buffer = gpa_init(q->gpa);
	p->buffer_size = q->create.buffer_size;
	return s;
}

/* Whose pages are `nr` from `va` on. NULL: the enclave has not so many there, whatever the monitor says. */
static uint64_t *places(struct platform_enclaves *e, const struct gnomon_enclave_request *q, uint64_t nr)
{
	const struct enclave_pages *p = &e->pages[q->id];
	const uint64_t first = (q->va - p->base) / PAGE_SIZE;

	return nr <= GNOMON_ENCLAVE_ADD_MAX && first < p->nr && nr <= p->nr - first ? &p->gpa[first] : NULL;
}

/* One shootdown and one call for all pages. The guest has them all, or the enclave has. */
enum gnomon_enclave_status platform_enclave_add(struct platform_enclaves *e, int slot,
                                                const struct gnomon_enclave_request *q)
{
	enum gnomon_enclave_status s = platform_enclave_ask(e, slot, MONITOR_MAY_ADD, q);
	const uint64_t nr = q->args[0] ? q->args[0] : 1;
	uint64_t *place = places(e, q, nr);
	struct monitor_reply reply;
	struct vm *vm = e->vm;

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	if (!place)
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	s = status_of(VM_PATIENTLY(vm, vm_lend(vm, gpa_init(q->gpa), nr * PAGE_SIZE, q->id, e->content)));
	if (s != GNOMON_ENCLAVE_OK)
		return s;
	platform_enclave_request(e, slot, q);
	memcpy(monitor_content(e->monitor, slot), e->content, nr * PAGE_SIZE);
	if (!platform_enclave_call(e, slot, MONITOR_ADD, &reply))
		return GNOMON_ENCLAVE_NO_MEMORY;
	if (reply.status != GNOMON_ENCLAVE_OK)
		give_back(vm, q->gpa, nr * PAGE_SIZE, e->content);
	for (uint64_t i = 0; reply.status == GNOMON_ENCLAVE_OK && i < nr; i++)
		place[i] = q->gpa + i * PAGE_SIZE;
	return reply.status;
}

/* Page n of the enclave, and those behind it whose guest pages follow, up to a border of 2 MiB. How many. */
static uint64_t run_at(const struct enclave_pages *p, uint64_t n)
{
	const uint64_t gpa = p->gpa[n], left = (PAGE_2M - gpa % PAGE_2M) / PAGE_SIZE;
	uint64_t nr = 1;

	while (nr < left && n + nr < p->nr && p->gpa[n + nr] == gpa + nr * PAGE_SIZE)
		nr++;
	return nr;
}

/* Returns how many pages it was about. Up to 2 MiB have the locks once: others get them between. */
static uint64_t give_back_run(struct platform_enclaves *e, unsigned id, uint64_t n, uint64_t most)
{
	struct enclave_pages *p = &e->pages[id];
	uint64_t nr;

	if (p->gpa[n] == NO_PAGE)
		return 1;
	nr = run_at(p, n);
	nr = nr < most ? nr : most;
	give_back(e->vm, p->gpa[n], nr * PAGE_SIZE, NULL);
	memset(&p->gpa[n], 0xff, nr * sizeof(*p->gpa));
	return nr;
}

enum gnomon_enclave_status platform_enclave_remove(struct platform_enclaves *e, int slot,
                                                   const struct gnomon_enclave_request *q)
{
	const enum gnomon_enclave_status s = platform_enclave_ask(e, slot, MONITOR_REMOVE, q);
	const uint64_t *place = places(e, q, 1);

	if (s == GNOMON_ENCLAVE_OK && !place)
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	if (s == GNOMON_ENCLAVE_OK)
		(void)give_back_run(e, q->id, place - e->pages[q->id].gpa, 1);
	return s;
}

enum gnomon_enclave_status platform_enclave_destroy(struct platform_enclaves *e, int slot,
                                                    const struct gnomon_enclave_request *q)
{
	const enum gnomon_enclave_status s = platform_enclave_ask(e, slot, MONITOR_DESTROY, q);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	unshare_buffer(e, q->id);
	for (uint64_t n = 0; n < e->pages[q->id].nr && !vm_has_ended(e->vm);)
		n += give_back_run(e, q->id, n, PAGE_2M / PAGE_SIZE);
	forget(&e->pages[q->id]);
	return s;
}

void platform_enclave_forget_pages(struct platform_enclaves *e)
{
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++) {
		unshare_buffer(e, id);
		forget(&e->pages[id]);
	}
}
