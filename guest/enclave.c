/* SPDX-License-Identifier: MIT */
/*
 * Enclaves of programs (gnomon/enclave.h). The program says what it wants. The kernel chooses the identifier, gives the
 * memory and asks the VMM. It notes in the program's page tables what an enclave has:
 *
 *   a page        not present: PTE_ENCLAVE | the frame that was given for it, which comes back with REMOVE or DESTROY
 *   the buffer    present, with PTE_ENCLAVE: other system calls leave it alone
 */
#include <gnomon/enclave.h>

#include "device.h"
#include "kernel.h"
#include "lock.h"

#define BUFFER (PTE_P | PTE_W | PTE_U | PTE_NX | PTE_ENCLAVE)

static struct enclave {
	const struct proc *owner; /* NULL: the identifier is free */
	uint64_t base, size, buffer, buffer_size;
} enclaves[GNOMON_ENCLAVE_MAX + 1];
static unsigned nr_enclaves;

/* What the VMM gets, and never the program's own. One for each CPU: the kernel is not locked while an enclave runs. */
static struct gnomon_enclave_request requests[NR_CPUS] __attribute__((aligned(sizeof(struct gnomon_enclave_request))));

static uint32_t ask(struct gnomon_enclave_request *q)
{
	q->version = GNOMON_ENCLAVE_VERSION;
	q->status = GNOMON_ENCLAVE_OFF; /* a VMM that does not know the port leaves it so */
	out32(GNOMON_PORT_ENCLAVE, gpa_raw(kernel_gpa(q)));
	return q->status;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* Whether `p` has nothing in the range, no enclave either. */
static bool nothing_at(const struct proc *p, uint64_t va, uint64_t len)
{
	if (!mmap_unused(va, len))
		return false;
	for (const struct enclave *e = enclaves; nr_enclaves && e <= &enclaves[GNOMON_ENCLAVE_MAX]; e++)
		if (e->owner == p &&
		    (overlap(va, len, e->base, e->size) || overlap(va, len, e->buffer, e->buffer_size)))
			return false;
	return true;
}

bool enclave_has(const struct proc *p)
{
	for (unsigned id = 1; nr_enclaves && id <= GNOMON_ENCLAVE_MAX; id++)
		if (enclaves[id].owner == p)
			return true;
	return false;
}

/* 0: there are as many as there can be. */
static unsigned free_id(void)
{
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		if (!enclaves[id].owner)
			return id;
	return 0;
}

/* Unmaps what an enclave had in the range, and frees the frames. */
static void take_back(uint64_t va, uint64_t len)
{
	for (const uint64_t end = va + len; va < end; va += PAGE_SIZE) {
		pte_t *e = pt_walk(va, 1), old = e ? *e : 0;

		if (!(old & PTE_ENCLAVE))
			continue;
		*e = 0;
		if (old & PTE_P)
			invlpg(va);
		page_free(gpa_init(old & PTE_ADDR));
	}
	device_freed();
}

/* Frames in a row, mapped at `va`. gpa 0: out of memory. */
static gpa_t make_buffer(uint64_t va, uint64_t len)
{
	gpa_t first;

	for (uint64_t off = 0; off < len; off += PAGE_SIZE)
		if (!pt_make(va + off, 1))
			return gpa_init(0);
	first = len == PAGE_SIZE ? page_alloc() : page_alloc_run(len / PAGE_SIZE);
	if (gpa_raw(first))
		pt_map(va, first, len / PAGE_SIZE, BUFFER); /* there are all tables */
	return first;
}

static uint32_t create(struct proc *p, struct gnomon_enclave_request *q)
{
	const struct gnomon_enclave_create *c = &q->create;
	const uint64_t end = c->base + c->size, buffer_end = c->buffer + c->buffer_size;
	const unsigned id = free_id();
	uint32_t status;

	if (q->id)
		return GNOMON_ENCLAVE_BAD_ID;
	if (!id)
		return GNOMON_ENCLAVE_NO_MEMORY;
	if (!nothing_at(p, c->base, c->size))
		return GNOMON_ENCLAVE_BAD_RANGE;
	if (c->buffer_size && (c->buffer_size > GNOMON_ENCLAVE_BUFFER_MAX || c->buffer_size % PAGE_SIZE ||
	                       !nothing_at(p, c->buffer, c->buffer_size)))
		return GNOMON_ENCLAVE_BAD_BUFFER;
	q->gpa = c->buffer_size ? gpa_raw(make_buffer(c->buffer, c->buffer_size)) : 0;
	if (c->buffer_size && !q->gpa)
		return GNOMON_ENCLAVE_NO_MEMORY;
	q->id = id;
	status = ask(q);
	if (status != GNOMON_ENCLAVE_OK) {
		q->id = 0;
		take_back(c->buffer, c->buffer_size);
		return status;
	}
	enclaves[id] = (struct enclave){p, c->base, c->size, c->buffer, c->buffer_size};
	nr_enclaves++;
	/* mmap() gives addresses behind it from now on, and none of its own. */
	p->mmap_next = end > p->mmap_next ? end : p->mmap_next;
	p->mmap_next = buffer_end > p->mmap_next ? buffer_end : p->mmap_next;
	return status;
}

static bool has(const struct enclave *e, uint64_t va)
{
	return va % PAGE_SIZE == 0 && va >= e->base && va - e->base < e->size;
}

/* The page is the program's at q->gpa. `request` has the program's own request: that frame stays. */
static uint32_t add(struct gnomon_enclave_request *q, gpa_t request)
{
	const uint64_t from = q->gpa;
	pte_t *const source = mmap_page(from), *note, old = source ? *source : 0;
	uint32_t status;

	if (q->args[0] > 1) /* what follows the frame is not the program's */
		return GNOMON_ENCLAVE_BAD_COUNT;
	if (!has(&enclaves[q->id], q->va))
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	if (!source || (old & PTE_ADDR) == gpa_raw(request))
		return GNOMON_ENCLAVE_BAD_PAGE;
	note = pt_make(q->va, 1);
	if (!note)
		return GNOMON_ENCLAVE_NO_MEMORY;
	*source = 0;
	invlpg(from);
	q->gpa = old & PTE_ADDR;
	status = ask(q);
	if (status == GNOMON_ENCLAVE_OK)
		*note = (old & PTE_ADDR) | PTE_ENCLAVE; /* it was free: the VMM takes one page for an address */
	else
		*source = old;
	return status;
}

static uint32_t remove(struct gnomon_enclave_request *q)
{
	const uint32_t status = ask(q);

	if (status == GNOMON_ENCLAVE_OK && has(&enclaves[q->id], q->va))
		take_back(q->va, PAGE_SIZE);
	return status;
}

static uint32_t destroy(struct gnomon_enclave_request *q)
{
	struct enclave *const e = &enclaves[q->id];
	const uint32_t status = ask(q);

	if (status != GNOMON_ENCLAVE_OK)
		return status;
	take_back(e->base, e->size);
	take_back(e->buffer, e->buffer_size);
	e->owner = NULL;
	nr_enclaves--;
	return status;
}

/*
 * Runs until it is left. That can take long, and other CPUs have the kernel meanwhile. What is interrupted goes back to
 * the program: interrupts are on there, and it resumes.
 */
static uint32_t run(struct gnomon_enclave_request *q)
{
	uint32_t status;

	kernel_unlock();
	status = ask(q);
	kernel_lock();
	return status;
}

static uint32_t serve(struct proc *p, struct gnomon_enclave_request *q, gpa_t request)
{
	if (q->call > GNOMON_ENCLAVE_DESTROY)
		return GNOMON_ENCLAVE_BAD_CALL;
	if (q->call == GNOMON_ENCLAVE_CREATE)
		return create(p, q);
	if (!q->id || q->id > GNOMON_ENCLAVE_MAX)
		return GNOMON_ENCLAVE_BAD_ID;
	if (enclaves[q->id].owner != p)
		return GNOMON_ENCLAVE_ABSENT;
	switch (q->call) {
	case GNOMON_ENCLAVE_ADD:
		return add(q, request);
	case GNOMON_ENCLAVE_ENTER:
	case GNOMON_ENCLAVE_RESUME:
		return run(q);
	case GNOMON_ENCLAVE_REMOVE:
		return remove(q);
	case GNOMON_ENCLAVE_DESTROY:
		return destroy(q);
	default:
		return ask(q);
	}
}

int64_t enclave_request(struct proc *p)
{
	const uint64_t at = p->frame.rdi;
	struct gnomon_enclave_request *const q = &requests[p->cpu], *program;
	uint64_t size;
	int r = -EFAULT;
	const pte_t *const page = user_range(at, sizeof(*q)) ? cow_write(at, &size, &r) : NULL;
	gpa_t frame;

	if (!page)
		return r;
	if (at % sizeof(*q) || size != PAGE_SIZE || *page & PTE_ENCLAVE)
		return -EFAULT;
	frame = gpa_init(*page & PTE_ADDR);
	memcpy(q, (char *)window(frame) + page_offset(at), sizeof(*q));
	q->status = serve(p, q, frame);
	program = (struct gnomon_enclave_request *)((char *)window(frame) + page_offset(at));
	program->id = q->id;
	program->status = q->status;
	program->left = q->left;
	return 0;
}

void enclave_exit(const struct proc *p)
{
	struct gnomon_enclave_request *const q = &requests[p->cpu];

	for (unsigned id = 1; nr_enclaves && id <= GNOMON_ENCLAVE_MAX; id++) {
		if (enclaves[id].owner != p)
			continue;
		*q = (struct gnomon_enclave_request){.call = GNOMON_ENCLAVE_DESTROY, .id = id};
		if (destroy(q) != GNOMON_ENCLAVE_OK) /* it does not run: its process does */
			panic("an enclave outlives its process", NULL);
	}
}
