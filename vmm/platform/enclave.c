/* SPDX-License-Identifier: MIT */
#include "platform/enclave.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "enclave/enclave.h"
#include "platform/enclave_parts.h"

/* ---- the monitor ---- */

/* From a thread of the monitor's. */
static void on_death(void *ctx, int status)
{
	struct platform_enclaves *e = ctx;

	if (WIFSIGNALED(status))
		log_error("the enclave monitor was killed by signal %d (%s): the run cannot go on", WTERMSIG(status),
		          strsignal(WTERMSIG(status)));
	else
		log_error("the enclave monitor ended with status %d: the run cannot go on", WEXITSTATUS(status));
	pthread_mutex_lock(&e->vm_lock);
	e->dead = true;
	if (e->vm)
		vm_end(e->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	pthread_mutex_unlock(&e->vm_lock);
}

static bool has_ended(void *ctx)
{
	struct platform_enclaves *e = ctx;
	bool ended;

	pthread_mutex_lock(&e->vm_lock);
	ended = !e->vm || vm_has_ended(e->vm);
	pthread_mutex_unlock(&e->vm_lock);
	return ended;
}

/* A minute, and ten seconds for each GiB that it may have to give up: a host that emulates all that takes a tenth of it. */
static int reset_ms(uint64_t memory)
{
	return 60000 + (int)(memory >> 30) * 10000;
}

int platform_enclaves_start(const struct platform_enclaves_config *c, struct platform_enclaves **ret)
{
	struct platform_enclaves *e = calloc(1, sizeof(*e));

	if (e)
		e->errands = calloc(c->cpus, sizeof(*e->errands));
	if (!e || !e->errands) {
		free(e);
		return log_errno(ENOMEM, "no memory for enclaves");
	}
	e->own_slot = c->cpus;
	e->memory = c->memory;
	e->levels = c->levels;
	pthread_mutex_init(&e->lock, NULL);
	pthread_mutex_init(&e->vm_lock, NULL);
	pthread_mutex_init(&e->look_lock, NULL);
	*ret = e;
	if (!c->memory)
		return 0;
	e->content = malloc(GNOMON_ENCLAVE_ADD_MAX * sizeof(*e->content));
	e->monitor = monitor_start(&(struct monitor_config){.kind = c->kind,
	                                                    .memory = c->memory,
	                                                    .levels = c->levels,
	                                                    .slots = c->cpus + 1,
	                                                    .wall = true,
	                                                    .reset_ms = reset_ms(c->memory),
	                                                    .on_death = on_death,
	                                                    .ended = has_ended,
	                                                    .ctx = e});
	if (e->content && e->monitor)
		return 0;
	platform_enclaves_stop(e);
	return -EIO;
}

void platform_enclaves_stop(struct platform_enclaves *e)
{
	if (!e)
		return;
	monitor_stop(e->monitor);
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		free(e->pages[id].gpa);
	free(e->content);
	free(e->errands);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->vm_lock);
	pthread_mutex_destroy(&e->look_lock);
	free(e);
}

/* ---- the guest's calls ---- */

/* Until the enclave is left. Whoever wants the vCPU interrupts it (hurry()). */
static enum gnomon_enclave_status enter(struct platform_enclaves *e, struct vcpu *vcpu, enum monitor_op op,
                                        struct gnomon_enclave_request *q)
{
	struct monitor_reply reply;

	platform_enclave_request(e, vcpu->id, q);
	monitor_ready(e->monitor, vcpu->id);
	if (vcpu_is_wanted(vcpu)) /* it came before monitor_ready(), which has forgotten it */
		monitor_kick(e->monitor, vcpu->id);
	if (!platform_enclave_call(e, vcpu->id, op, &reply))
		return GNOMON_ENCLAVE_NO_MEMORY;
	if (reply.status == GNOMON_ENCLAVE_OK)
		q->left = reply.left;
	return reply.status;
}

typedef enum gnomon_enclave_status (*page_call_fn)(struct platform_enclaves *e, int slot,
                                                   const struct gnomon_enclave_request *q);

static enum gnomon_enclave_status with_lock(struct platform_enclaves *e, int slot, page_call_fn fn,
                                            const struct gnomon_enclave_request *q)
{
	enum gnomon_enclave_status s;

	pthread_mutex_lock(&e->lock);
	s = fn(e, slot, q);
	pthread_mutex_unlock(&e->lock);
	return s;
}

static enum gnomon_enclave_status serve(struct platform_enclaves *e, struct vcpu *vcpu,
                                        struct gnomon_enclave_request *q)
{
	if (!e->monitor)
		return GNOMON_ENCLAVE_OFF;
	if (q->call > GNOMON_ENCLAVE_DESTROY)
		return GNOMON_ENCLAVE_BAD_CALL;
	if (!q->id || q->id > GNOMON_ENCLAVE_MAX) /* it is an index here, whatever the monitor thinks of it */
		return GNOMON_ENCLAVE_BAD_ID;
	switch (q->call) {
	case GNOMON_ENCLAVE_CREATE:
		return with_lock(e, vcpu->id, platform_enclave_create, q);
	case GNOMON_ENCLAVE_ADD:
		return with_lock(e, vcpu->id, platform_enclave_add, q);
	case GNOMON_ENCLAVE_EXTEND:
		return platform_enclave_ask(e, vcpu->id, MONITOR_EXTEND, q);
	case GNOMON_ENCLAVE_INIT:
		return platform_enclave_ask(e, vcpu->id, MONITOR_INIT, q);
	case GNOMON_ENCLAVE_ENTER:
		return enter(e, vcpu, MONITOR_ENTER, q);
	case GNOMON_ENCLAVE_RESUME:
		return enter(e, vcpu, MONITOR_RESUME, q);
	case GNOMON_ENCLAVE_REMOVE:
		return with_lock(e, vcpu->id, platform_enclave_remove, q);
	default:
		return with_lock(e, vcpu->id, platform_enclave_destroy, q);
	}
}

/* The guest may have given the place away meanwhile: then nobody waits for the answer. */
static void answer(struct vcpu *vcpu, gpa_t at, const struct gnomon_enclave_request *q)
{
	struct vm *vm = vcpu->vm;
	struct gnomon_enclave_request *to;

	pthread_mutex_lock(&vm->paging_lock);
	vcpu_pin(vcpu);
	to = stage2_ptr(&vm->stage2, at, sizeof(*to));
	if (to) {
		to->left = q->left;
		__atomic_store_n(&to->status, q->status, __ATOMIC_RELEASE);
	}
	vcpu_unpin(vcpu);
	if (to)
		vm->paging->written(vm, at, sizeof(*to));
	pthread_mutex_unlock(&vm->paging_lock);
}

static void run_errand(struct vcpu *vcpu, void *ctx)
{
	struct platform_enclaves *e = ctx;
	struct enclave_errand *errand = &e->errands[vcpu->id];
	struct gnomon_enclave_request *q = &errand->request;
	struct monitor_reply reply;

	q->status = serve(e, vcpu, q);
	if (vcpu->vm->paging_config.audit && e->monitor)
		(void)platform_enclave_call(e, vcpu->id, MONITOR_AUDIT,
		                            &reply); /* which ends the run for what it finds */
	answer(vcpu, errand->at, q);
}

static void hurry(struct vcpu *vcpu, void *ctx)
{
	struct platform_enclaves *e = ctx;

	if (e->monitor)
		monitor_kick(e->monitor, vcpu->id);
}

/* ---- the port ---- */

static void port_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct platform_enclaves *e = dev->owner;
	struct vcpu *vcpu = who;
	struct enclave_errand *errand = &e->errands[vcpu->id];

	if (!platform_enclave_take(vcpu, a, "to an enclave", sizeof(errand->request), &errand->request, &errand->at))
		return;
	if (errand->request.version != GNOMON_ENCLAVE_VERSION) {
		vm_kill(vcpu, "its request to an enclave names version %u (of %d)", errand->request.version,
		        GNOMON_ENCLAVE_VERSION);
		return;
	}
	atomic_store(&vcpu->errand, &e->errand);
}

/* No vCPU runs, and none has an errand that it has begun. The next guest finds no enclave, or there is none. */
static void port_reset(struct bus_device *dev)
{
	struct platform_enclaves *e = dev->owner;
	struct monitor_reply reply;

	if (!e->monitor)
		return;
	pthread_mutex_lock(&e->look_lock);
	pthread_mutex_lock(&e->lock);
	if (platform_enclave_call(e, e->own_slot, MONITOR_RESET, &reply)) {
		platform_enclave_forget_pages(e);
		if (reply.status != GNOMON_ENCLAVE_OK) {
			log_error("the enclave monitor keeps an enclave over a reset: the run cannot go on");
			vm_end(e->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		}
	}
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->look_lock);
}

/* A monitor that died before there was a VM ends it now. */
static void set_vm(struct platform_enclaves *e, struct vm *vm)
{
	pthread_mutex_lock(&e->vm_lock);
	e->vm = vm;
	if (vm && e->dead)
		vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	pthread_mutex_unlock(&e->vm_lock);
}

void platform_enclaves_attach(struct platform_enclaves *e, struct vm *vm)
{
	e->port = (struct bus_device){
	    .base = GNOMON_PORT_ENCLAVE, .len = 4, .access = port_access, .reset = port_reset, .owner = e};
	e->errand = (struct vcpu_errand){.run = run_errand, .hurry = hurry, .ctx = e};
	bus_attach(&vm->pio, &e->port);
	platform_enclave_walks_attach(e, vm);
	vm->enclaves = e->monitor ? e : NULL;
	set_vm(e, vm);
}

void platform_enclaves_detach(struct platform_enclaves *e)
{
	set_vm(e, NULL);
}

/* ---- looking ---- */

static bool is_walk(const struct monitor_walk *w)
{
	bool good = w->nr <= MONITOR_STEPS;

	for (uint32_t i = 0; good && i < w->nr; i++)
		good = w->step[i].level >= 1 && w->step[i].level <= 4 && w->step[i].row <= 4 && w->step[i].third <= 1;
	return good;
}

static int query(struct platform_enclaves *e, unsigned id, uint64_t va, struct monitor_reply *ret_reply)
{
	struct monitor_request *m = monitor_request(e->monitor, e->own_slot);
	int r;

	m->op = MONITOR_QUERY;
	m->id = id;
	m->va = va;
	r = monitor_call(e->monitor, e->own_slot, ret_reply);
	return r == 0 && (ret_reply->query.state >= ENCLAVE_NR_STATES || !is_walk(&ret_reply->walk)) ? -EIO : r;
}

int platform_enclaves_look(struct platform_enclaves *e, void (*fn)(void *ctx, const struct enclave_summary *summary),
                           void *ctx)
{
	return platform_enclaves_look_at(e, 0, fn, ctx);
}

int platform_enclaves_look_at(struct platform_enclaves *e, uint64_t va,
                              void (*fn)(void *ctx, const struct enclave_summary *summary), void *ctx)
{
	struct monitor_reply reply;
	int r = 0;

	pthread_mutex_lock(&e->look_lock);
	for (unsigned id = 1; r == 0 && id <= GNOMON_ENCLAVE_MAX; id++) {
		struct enclave_summary s = {.id = id};

		r = query(e, id, va, &reply);
		if (r == 0 && reply.query.state != ENCLAVE_NONE) {
			s.state = enclave_state_name(reply.query.state);
			s.create = reply.query.create;
			s.pages = reply.query.pages;
			s.tables = reply.query.tables;
			s.entries = reply.query.entries;
			s.sealed = reply.query.state != ENCLAVE_BUILDING;
			s.walk = reply.walk;
			memcpy(s.exits, reply.query.exits, sizeof(s.exits));
			memcpy(s.measurement, reply.query.measurement, sizeof(s.measurement));
			fn(ctx, &s);
		}
	}
	pthread_mutex_unlock(&e->look_lock);
	return r;
}

int platform_enclaves_third_stage(struct platform_enclaves *e, struct platform_third_stage *ret)
{
	struct monitor_reply reply;
	int r;

	pthread_mutex_lock(&e->look_lock);
	r = query(e, 1, 0, &reply); /* whether there is such an enclave or not */
	pthread_mutex_unlock(&e->look_lock);
	if (r == 0)
		*ret =
		    (struct platform_third_stage){.levels = e->levels, .memory = e->memory, .bytes = reply.stage_bytes};
	return r;
}

bool platform_enclaves_any(const struct platform_enclaves *e)
{
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		if (e->pages[id].gpa)
			return true;
	return false;
}

bool platform_enclaves_locked(const struct platform_enclaves *e)
{
	return monitor_is_locked(e->monitor);
}

const uint8_t *platform_enclaves_key(const struct platform_enclaves *e)
{
	return monitor_public_key(e->monitor);
}
