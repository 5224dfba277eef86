/* SPDX-License-Identifier: MIT */
/* GNOMON_PORT_ENCLAVE_WALKS: the monitor counts, since only it has the tables. An errand, as the calls of enclave.c. */
#include <string.h>

#include "platform/enclave_parts.h"

static void count(struct platform_enclaves *e, int slot, struct gnomon_enclave_walks *w)
{
	struct monitor_request *m;
	struct monitor_reply reply;

	w->status = GNOMON_ENCLAVE_OFF;
	if (!e->monitor)
		return;
	m = monitor_request(e->monitor, slot);
	memset(m, 0, sizeof(*m));
	m->id = w->id;
	m->args[MONITOR_WALKS_READING] = w->every;
	m->args[MONITOR_WALKS_CACHE] = w->cache;
	m->args[MONITOR_WALKS_SECOND] = w->second;
	m->args[MONITOR_WALKS_MOST] = w->most;
	if (!platform_enclave_call(e, slot, MONITOR_WALKS, &reply))
		return;
	w->status = reply.status;
	w->pages = reply.walks.pages;
	w->sum = reply.walks.sum;
	w->walked = reply.walks.walked;
	w->checks = reply.walks.checks;
	w->hits = reply.walks.hits;
	w->low = reply.walks.low;
	w->high = reply.walks.high;
}

static void run_errand(struct vcpu *vcpu, void *ctx)
{
	struct platform_enclaves *e = ctx;
	struct enclave_errand *errand = &e->errands[vcpu->id];
	struct vm *vm = vcpu->vm;
	void *to;

	count(e, vcpu->id, &errand->walks);
	pthread_mutex_lock(&vm->paging_lock);
	vcpu_pin(vcpu);
	to = stage2_ptr(&vm->stage2, errand->at, sizeof(errand->walks));
	if (to) /* else somebody took it meanwhile */
		memcpy(to, &errand->walks, sizeof(errand->walks));
	vcpu_unpin(vcpu);
	if (to)
		vm->paging->written(vm, errand->at, sizeof(errand->walks));
	pthread_mutex_unlock(&vm->paging_lock);
}

/* A count ends by itself. */
static void hurry(struct vcpu *vcpu, void *ctx)
{
}

static void port_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct platform_enclaves *e = dev->owner;
	struct vcpu *vcpu = who;
	struct enclave_errand *errand = &e->errands[vcpu->id];

	if (!platform_enclave_take(vcpu, a, "for an enclave's walks", sizeof(errand->walks), &errand->walks,
	                           &errand->at))
		return;
	if (errand->walks.version != GNOMON_ENCLAVE_VERSION) {
		vm_kill(vcpu, "its request for an enclave's walks, at 0x%llx, names another version than 1",
		        (unsigned long long)gpa_raw(errand->at));
		return;
	}
	atomic_store(&vcpu->errand, &e->walks_errand);
}

void platform_enclave_walks_attach(struct platform_enclaves *e, struct vm *vm)
{
	e->walks_port =
	    (struct bus_device){.base = GNOMON_PORT_ENCLAVE_WALKS, .len = 4, .access = port_access, .owner = e};
	e->walks_errand = (struct vcpu_errand){.run = run_errand, .hurry = hurry, .ctx = e};
	bus_attach(&vm->pio, &e->walks_port);
}
