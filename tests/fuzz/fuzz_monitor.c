/* SPDX-License-Identifier: MIT */
/*
 * A hostile VMM at the monitor: any messages in any order, also while an enclave runs, which does whatever it likes.
 * The monitor answers each with a status; the invariants of the third stage hold, and a call that fails changes no
 * state.
 *
 * Input: a byte for the depth of the third stage, then messages of eight bytes. While an enclave runs, the next eight say
 * how it stops, or are another slot's message. No KVM: the enclave's VM is made up here.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/serve.h"

#define PAGES 96
#define BASE  0x400000ull
#define BYTES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct enclave_vm {
	unsigned id;
};

static struct monitor_serve serve;
static struct monitor_slot slots[2];
static uint8_t *buffers;
static const uint8_t *at, *end;
static int depth; /* how many slots are being served */
static uint64_t ticket;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* NULL: there is no more. */
static const uint8_t *take(void)
{
	const uint8_t *d = at;

	if (end - at < BYTES)
		return NULL;
	at += BYTES;
	return d;
}

/* Odd numbers are as likely as good ones. */
static uint64_t number(uint8_t where)
{
	static const uint64_t odd[] = {0,        1,  ~0ull, 1ull << 63, GNOMON_ENCLAVE_HIGHEST, BASE - MONITOR_PAGE,
	                               BASE + 8, 300};

	return where < 0xe0 ? BASE + (where & 3) * MONITOR_PAGE : odd[where % 8];
}

/* Those that lead on come more often than those that end. */
static uint32_t op_of(uint8_t d)
{
	static const uint8_t often[] = {MONITOR_CREATE, MONITOR_ADD,   MONITOR_ADD,    MONITOR_INIT,
	                                MONITOR_ENTER,  MONITOR_ENTER, MONITOR_RESUME, MONITOR_QUERY};

	return d < 0x90 ? often[d % 8] : d < 0xf0 ? d % MONITOR_NR_OPS : (uint32_t)number(d);
}

static void fill_in(struct monitor_request *q, const uint8_t *d)
{
	const uint32_t op = op_of(d[0]);

	*q = (struct monitor_request){
	    .version = MONITOR_ABI_VERSION + (d[0] == 0xff),
	    .op = op,
	    .id = d[1] < 0xf0 ? 1 + d[1] % 2 : d[1] - 0xf8u,
	    .sequence = d[7],
	    .va = op == MONITOR_ENTER && d[2] < 0xc0 ? BASE : number(d[2]),
	    .rights = d[3] < 0xe0 ? 5 - d[3] % 2 * 2 : d[3],
	    .pages = d[4] < 0xe0 ? d[4] % 4 : number(d[4]),
	    .flags = d[5] < 0xe0 ? 0 : d[5] & 7,
	    .ticket = d[5] & 1 ? ticket : d[5],
	    .args = {d[3] % 2, d[4], d[5] & 4, d[6]},
	    .create = {.base = BASE,
	               .size = (1 + (d[2] & 3)) * MONITOR_PAGE,
	               .entry = BASE,
	               .stack = BASE + MONITOR_PAGE},
	};
	if (d[3] & 1)
		q->create.buffer = BASE - MONITOR_PAGE, q->create.buffer_size = MONITOR_PAGE;
	if (d[6] >= 0xf0) /* any word of it */
		memcpy((uint8_t *)q + d[6] % (sizeof(*q) / 8) * 8, &(uint64_t){number(d[7])}, 8);
}

static void note_run(void *ctx, struct enclave_vm *vm)
{
	require(!vm || vm->id == slots[depth - 1].request.id);
}

static enum enclave_state state_of(unsigned id)
{
	struct enclave_info info;

	return enclave_look(serve.all, id, &info) ? info.state : ENCLAVE_NONE;
}

static void message(const uint8_t *d)
{
	struct monitor_slot *s = &slots[depth];
	const struct monitor_reply *reply = &s->reply;
	const unsigned id = (fill_in(&s->request, d), s->request.id);
	const enum enclave_state before = state_of(id);
	const char *what;

	atomic_store(&s->kick, d[7] & 1);
	memset(s->content, d[7], 4 * MONITOR_PAGE);
	depth++;
	monitor_serve(&serve, s, note_run, NULL);
	depth--;
	require(reply->status < GNOMON_ENCLAVE_NR_STATUS && reply->op == s->request.op);
	require(reply->left.reason <= GNOMON_ENCLAVE_FAULTED && reply->walk.nr <= MONITOR_STEPS);
	require(!reply->failed || s->request.op == MONITOR_ENTER || s->request.op == MONITOR_RESUME);
	if (reply->status != GNOMON_ENCLAVE_OK && s->request.op != MONITOR_RESET)
		require(state_of(id) == before);
	if (s->request.op == MONITOR_ENTER || s->request.op == MONITOR_RESUME)
		ticket = reply->left.ticket ? reply->left.ticket : ticket;
	require(enclave_audit(serve.all, &what) == 0);
	if (d[7] & 2)
		(void)monitor_serve_meanwhile(&serve);
}

/* ---- the VM of an enclave ---- */

void enclave_vm_fixed(maddr_t stub, struct enclave_fixed ret[ENCLAVE_VM_FIXED])
{
	for (unsigned i = 0; i < ENCLAVE_VM_FIXED; i++)
		ret[i] = (struct enclave_fixed){0xffffff8000000000 + i * PAGE_SIZE, PAGE_SIZE,
		                                maddr_add(stub, i * PAGE_SIZE), PT_R};
}

struct enclave_vm *enclave_vm_create(const struct enclave_vm_config *config, const struct enclave_info *info,
                                     maddr_t stub)
{
	const unsigned id = (config->buffer - buffers) / GNOMON_ENCLAVE_BUFFER_MAX;
	struct enclave_vm *vm = (end - at) % 16 == 5 ? NULL : malloc(sizeof(*vm)); /* the host lacks something */

	if (vm)
		vm->id = id;
	return vm;
}

void enclave_vm_destroy(struct enclave_vm *vm)
{
	free(vm);
}

int enclave_vm_forget(struct enclave_vm *vm)
{
	vm->id += 0; /* it is there */
	return 0;
}

void enclave_vm_kick(struct enclave_vm *vm)
{
}

/* When there is no more input it exits. */
struct enclave_vm_stop enclave_vm_run(struct enclave_vm *vm, struct enclave_context *context)
{
	const uint8_t *d = take();

	if (d && d[0] & 0x80 && depth < 2) {
		message(d);
		d = take();
	}
	for (int i = 0; i < 16; i++)
		context->gpr[i] = d ? number(d[1 + i % 7]) : 0;
	context->gpr[0] = d ? 7 + d[1] % 8 : GNOMON_ENCLAVE_EXIT; /* RAX: the call */
	return (struct enclave_vm_stop){.why = d && d[0] % 16 < 3    ? ENCLAVE_STOP_FAULT
	                                       : d && d[0] % 16 == 3 ? ENCLAVE_STOP_KICK
	                                       : d && d[0] == 0xff   ? ENCLAVE_STOP_FAILED
	                                                             : ENCLAVE_STOP_CALL,
	                                .vector = d ? d[2] : 0,
	                                .address = d ? number(d[3]) : 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *d;

	if (!size)
		return 0;
	if (!buffers)
		buffers = calloc(GNOMON_ENCLAVE_MAX + 1, GNOMON_ENCLAVE_BUFFER_MAX);
	at = data + 1;
	end = data + size;
	ticket = 0;
	require(monitor_serve_init(&serve, &(struct monitor_serve_config){.kvm_fd = -1,
	                                                                  .size = PAGES * PAGE_SIZE,
	                                                                  .levels = 1 << data[0] % 3,
	                                                                  .buffers = buffers}) == 0);
	while ((d = take()))
		message(d);
	monitor_serve_destroy(&serve);
	return 0;
}
