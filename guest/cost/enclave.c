/* SPDX-License-Identifier: MIT */
/*
 * Rows about enclaves (include/gnomon/enclave.h). Requests are made beforehand, so that an operation is an OUT and what
 * comes of it.
 *
 *   call, out, fault   one enclave of one page
 *   build              one enclave after the other: the requests at FRAMES, the pages behind them
 *   chase              a ring through RING pages of REGION, which then become an enclave's, at the same addresses
 */
#include "enclave.h"

#include <gnomon/abi.h>
#include <gnomon/enclave.h>
#include <gnomon/x86.h>

#include "chase_core.h"
#include "cost.h"
#include "mem.h"

#define PAGE        4096ull
#define BASE        0x10000000ull
#define USED        (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define RW          (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)
#define RX          (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)
#define BUILD_AT    0x8000000ull /* physical: the pages of enclaves that are built */
#define BUILD_SLOT  64           /* of cost_pd: where they are mapped by 2 MiB pages */
#define RING        4096         /* pages */
#define RING_TABLES 8
#define CODE_FRAME  (COST_FRAMES + COST_TABLES * (uint64_t)COST_TABLE_LEN - PAGE)
#define NOWHERE     0x1000 /* an address that no enclave has */

static struct gnomon_enclave_request request __attribute__((aligned(256)));
static struct gnomon_enclave_request *const list = (void *)COST_FRAMES;
static uint32_t unit, nr_listed;
static bool warm, failed;
static void **ring;

static inline void call(struct gnomon_enclave_request *q)
{
	__asm__ volatile("outl %%eax, %%dx" : : "a"((uint32_t)(uint64_t)q), "d"(GNOMON_PORT_ENCLAVE) : "memory");
}

/* ---- lists of requests ---- */

static struct gnomon_enclave_request *next(uint32_t number, uint32_t id)
{
	struct gnomon_enclave_request *q = &list[nr_listed++];

	memset(q, 0, sizeof(*q));
	q->version = GNOMON_ENCLAVE_VERSION;
	q->call = number;
	q->id = id;
	q->status = ~0u;
	return q;
}

static void list_create(uint32_t id, uint64_t base, uint64_t pages, uint64_t entry)
{
	next(GNOMON_ENCLAVE_CREATE, id)->create = (struct gnomon_enclave_create){
	    .base = base, .size = pages * PAGE, .entry = entry, .stack = base + pages * PAGE};
}

static void list_add(uint32_t id, uint64_t va, uint64_t gpa, uint64_t rights)
{
	struct gnomon_enclave_request *q = next(GNOMON_ENCLAVE_ADD, id);

	q->va = va;
	q->gpa = gpa;
	q->rights = rights;
}

struct part {
	uint32_t first, n;
};

/* At CPL 0. An OUT and three instructions, because a KVM may emulate each. */
static void submit(void *arg)
{
	const struct part *p = arg;
	uint32_t at = (uint32_t)(uint64_t)&list[p->first], n = p->n;

	__asm__ volatile("1:\n\toutl %%eax, %%dx\n\tadd $256, %%eax\n\tdec %%ecx\n\tjnz 1b"
	                 : "+a"(at), "+c"(n)
	                 : "d"(GNOMON_PORT_ENCLAVE)
	                 : "memory");
}

static bool all_good(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i].status != GNOMON_ENCLAVE_OK)
			return false;
	return true;
}

static void submit_all(void)
{
	cost_at_cpl0(submit, &(struct part){0, nr_listed});
	failed |= !all_good(nr_listed);
	nr_listed = 0;
}

static void put_program(uint64_t at)
{
	memcpy((void *)at, enclave_program, enclave_program_end - enclave_program);
}

/* ---- calls ---- */

/* An enclave of one page, and a request to enter it. */
static void start(uint64_t what)
{
	put_program(CODE_FRAME);
	list_create(1, BASE, 1, BASE);
	list_add(1, BASE, CODE_FRAME, RX);
	next(GNOMON_ENCLAVE_EXTEND, 1)->va = BASE;
	(void)next(GNOMON_ENCLAVE_INIT, 1);
	submit_all();
	request = (struct gnomon_enclave_request){.version = GNOMON_ENCLAVE_VERSION,
	                                          .call = GNOMON_ENCLAVE_ENTER,
	                                          .id = 1,
	                                          .va = BASE,
	                                          .args = {what, NOWHERE}};
}

static void call_at_cpl0(void *arg)
{
	call(arg);
}

/* It is in the midst of what it does, and the request resumes it. */
static void start_and_leave(uint64_t what, uint32_t reason)
{
	start(what);
	cost_at_cpl0(call_at_cpl0, &request);
	failed |= request.status != GNOMON_ENCLAVE_OK || request.left.reason != reason;
	request.call = GNOMON_ENCLAVE_RESUME;
}

void prepare_enclave_call(uint32_t most)
{
	start(ENCLAVE_RETURN);
}

void prepare_enclave_out(uint32_t most)
{
	start_and_leave(ENCLAVE_OUT, GNOMON_ENCLAVE_CALLED_OUT);
}

void prepare_enclave_fault(uint32_t most)
{
	start_and_leave(ENCLAVE_FAULT, GNOMON_ENCLAVE_FAULTED);
}

/* `n` is a multiple of 8. One that fails is followed by others that fail. */
void run_enclave_call(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\toutl %%eax, %%dx\n\t.endr"
		                 :
		                 : "a"((uint32_t)(uint64_t)&request), "d"(GNOMON_PORT_ENCLAVE)
		                 : "memory");
}

/* Each exit has a ticket of its own. */
void run_enclave_resume(uint32_t from, uint32_t n)
{
	for (; n; n--) {
		request.ticket = request.left.ticket;
		call(&request);
	}
}

bool check_enclave(uint32_t n)
{
	return !failed && request.status == GNOMON_ENCLAVE_OK && request.left.reason != GNOMON_ENCLAVE_INTERRUPTED;
}

/* ---- building ---- */

static void map_build_pages(uint32_t pages)
{
	for (uint32_t i = 0; i * 512 < pages; i++)
		cost_pd[BUILD_SLOT + i] = (BUILD_AT + i * (uint64_t)COST_TABLE_LEN) | USED | PTE_PS;
}

/* Code alone, then as many pages of data as one call takes. */
static void list_batch(uint32_t id, uint64_t va, uint64_t gpa, uint32_t n, uint32_t pages)
{
	list_add(id, va, gpa, n ? RW : RX);
	list[nr_listed - 1].args[0] = n == 0                               ? 1
	                              : pages - n < GNOMON_ENCLAVE_ADD_MAX ? pages - n
	                                                                   : GNOMON_ENCLAVE_ADD_MAX;
	list[nr_listed - 1].flags = GNOMON_ENCLAVE_MEASURE;
}

static void prepare_build(uint32_t pages, uint32_t most)
{
	const uint64_t mapped = COST_REGION + BUILD_SLOT * (uint64_t)COST_TABLE_LEN;

	unit = pages;
	map_build_pages(most);
	for (uint32_t i = 0; i < most; i++) {
		const uint32_t id = 1 + i / pages, n = i % pages;
		const uint64_t va = BASE + n * PAGE;

		*(volatile uint64_t *)(mapped + i * PAGE) = i;
		if (n == 0)
			list_create(id, BASE, pages, BASE);
		if (n == 0 || n % GNOMON_ENCLAVE_ADD_MAX == 1)
			list_batch(id, va, BUILD_AT + i * PAGE, n, pages);
		if (n == pages - 1)
			(void)next(GNOMON_ENCLAVE_INIT, id);
	}
}

void prepare_enclave_build_4k(uint32_t most)
{
	prepare_build(ENCLAVE_PAGES_4K, most);
}

void prepare_enclave_build_64k(uint32_t most)
{
	prepare_build(ENCLAVE_PAGES_64K, most);
}

void prepare_enclave_build_1m(uint32_t most)
{
	prepare_build(ENCLAVE_PAGES_1M, most);
}

void prepare_enclave_build_16m(uint32_t most)
{
	prepare_build(ENCLAVE_PAGES_16M, most);
}

void prepare_enclave_build_256m(uint32_t most)
{
	prepare_build(ENCLAVE_PAGES_256M, most);
}

/* Requests of `pages` whole enclaves' pages. */
static uint32_t requests(uint32_t pages)
{
	const uint32_t batches = 1 + (unit - 1 + GNOMON_ENCLAVE_ADD_MAX - 1) / GNOMON_ENCLAVE_ADD_MAX;

	return (2 + batches) * (pages / unit);
}

/* Each enclave once: what comes to warm up builds none. */
void run_enclave_build(uint32_t from, uint32_t n)
{
	if (warm)
		submit(&(struct part){requests(from), requests(n)});
	warm = true;
}

bool check_enclave_build(uint32_t n)
{
	return all_good(requests(n));
}

/* ---- memory inside and outside ---- */

void prepare_enclave_outside(uint32_t most)
{
	cost_map_region(2 * RING_TABLES);
	ring = chase_walk(chase_build((void *)COST_REGION, RING, CHASE_SPARSE, 1), RING);
}

void prepare_enclave_chase(uint32_t most)
{
	const uint64_t code = COST_REGION + RING * PAGE;

	prepare_enclave_outside(most);
	put_program(CODE_FRAME);
	for (uint32_t i = 0; i < RING; i++)
		*(volatile uint8_t *)(COST_REGION + (RING + i) * PAGE) = 1;
	request = (struct gnomon_enclave_request){.version = GNOMON_ENCLAVE_VERSION, .id = 1};
	request.call = GNOMON_ENCLAVE_CREATE;
	request.create = (struct gnomon_enclave_create){
	    .base = COST_REGION, .size = (RING + 1) * PAGE, .entry = code, .stack = code + PAGE};
	cost_at_cpl0(call_at_cpl0, &request);
	failed |= request.status != GNOMON_ENCLAVE_OK;
	request.call = GNOMON_ENCLAVE_ADD;
	for (uint32_t i = 0; i <= RING; i++) {
		request.va = COST_REGION + i * PAGE;
		request.gpa = i < RING ? COST_FRAMES + i * PAGE : CODE_FRAME;
		request.rights = i < RING ? RW : RX;
		cost_at_cpl0(call_at_cpl0, &request);
		failed |= request.status != GNOMON_ENCLAVE_OK;
	}
	request.call = GNOMON_ENCLAVE_INIT;
	cost_at_cpl0(call_at_cpl0, &request);
	failed |= request.status != GNOMON_ENCLAVE_OK;
	request.call = GNOMON_ENCLAVE_ENTER;
	request.va = code;
	request.args[0] = ENCLAVE_CHASE;
	request.left.value = (uint64_t)ring;
}

void run_enclave_chase(uint32_t from, uint32_t n)
{
	request.args[1] = request.left.value;
	request.args[2] = n;
	call(&request);
}

void run_enclave_outside(uint32_t from, uint32_t n)
{
	ring = chase_walk(ring, n);
}
