/* SPDX-License-Identifier: MIT */
#include "monitor/serve.h"

#include <errno.h>
#include <string.h>

#include "cpu/state.h"
#include "monitor/secure.h"
#include "monitor/walks.h"

/* In an enclave's VM, above secure memory and buffers, and no higher: a CPU may have few physical address bits. */
static maddr_t stub_at(const struct monitor_serve *m)
{
	return maddr_init(m->config.size + (GNOMON_ENCLAVE_MAX + 1ull) * GNOMON_ENCLAVE_BUFFER_MAX);
}

int monitor_serve_init(struct monitor_serve *m, const struct monitor_serve_config *config)
{
	struct enclave_fixed fixed[ENCLAVE_VM_FIXED];

	*m = (struct monitor_serve){.config = *config};
	m->memory = secure_map(config->size);
	if (!m->memory)
		return log_errno(errno, "secure memory of %llu bytes", (unsigned long long)config->size);
	enclave_vm_fixed(stub_at(m), fixed);
	m->all = enclaves_create(&(struct enclaves_config){
	    .memory = m->memory,
	    .size = config->size,
	    .levels = config->levels,
	    .buffers = maddr_init(config->size),
	    .fixed = fixed,
	    .nr_fixed = ENCLAVE_VM_FIXED,
	    .claim = secure_claim,
	    .populate = secure_populate,
	    .discard = secure_discard,
	    .ctx = m->memory,
	});
	if (!m->all) {
		const int r = log_errno(errno, "enclaves");

		secure_unmap(m->memory, config->size);
		return r;
	}
	enclave_key_make(&m->key);
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

void monitor_serve_destroy(struct monitor_serve *m)
{
	if (!m->all)
		return;
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		enclave_vm_destroy(m->vm[id]);
	enclaves_destroy(m->all);
	enclave_key_erase(&m->key);
	pthread_mutex_destroy(&m->lock);
	secure_unmap(m->memory, m->config.size);
	*m = (struct monitor_serve){0};
}

/* ---- calls that end at once: the lock is held ---- */

static enum gnomon_enclave_status destroy(struct monitor_serve *m, unsigned id)
{
	const enum gnomon_enclave_status s = enclave_destroy(m->all, id);

	if (s == GNOMON_ENCLAVE_OK) {
		enclave_vm_destroy(m->vm[id]);
		m->vm[id] = NULL;
	}
	return s;
}

static enum gnomon_enclave_status init(struct monitor_serve *m, const struct monitor_request *q)
{
	struct enclave_info info;
	enum gnomon_enclave_status s = enclave_may_init(m->all, q->id);

	if (s == GNOMON_ENCLAVE_OK && q->flags & ~(uint64_t)GNOMON_ENCLAVE_EXPECT)
		return GNOMON_ENCLAVE_BAD_FLAGS;
	if (s == GNOMON_ENCLAVE_OK)
		s = enclave_init(m->all, q->id, q->flags & GNOMON_ENCLAVE_EXPECT ? q->expected : NULL);
	if (s != GNOMON_ENCLAVE_OK)
		return s;
	BUG_ON(!enclave_look(m->all, q->id, &info));
	m->vm[q->id] = enclave_vm_create(
	    &(struct enclave_vm_config){
	        .kvm_fd = m->config.kvm_fd,
	        .memory = m->memory,
	        .buffer = m->config.buffers + q->id * GNOMON_ENCLAVE_BUFFER_MAX,
	        .quiet = m->told,
	    },
	    &info, stub_at(m));
	if (m->vm[q->id])
		return s;
	m->told = true;
	enclave_unseal(m->all, q->id); /* the host lacks memory or descriptors: another try may find some */
	return GNOMON_ENCLAVE_NO_MEMORY;
}

static void query(const struct monitor_serve *m, unsigned id, struct monitor_reply *reply)
{
	struct enclave_info info;

	if (!enclave_look(m->all, id, &info))
		return;
	reply->query = (struct monitor_query){
	    .state = info.state,
	    .create = info.create,
	    .pages = info.pages,
	    .tables = info.tables,
	    .entries = info.entries,
	};
	memcpy(reply->query.exits, info.exits, sizeof(info.exits));
	memcpy(reply->query.measurement, info.measurement, sizeof(info.measurement));
}

static void count(const struct monitor_serve *m, struct monitor_reply *reply)
{
	struct enclave_info info;

	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++) {
		if (!enclave_look(m->all, id, &info))
			continue;
		reply->enclaves++;
		reply->pages += info.pages;
		reply->tables += info.tables;
	}
	reply->stage_bytes = enclave_stage_bytes(enclave_stage(m->all));
}

/* BUSY: one still runs, in another slot. */
static enum gnomon_enclave_status reset(struct monitor_serve *m)
{
	enum gnomon_enclave_status all = GNOMON_ENCLAVE_OK, s;

	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++) {
		s = destroy(m, id);
		if (s != GNOMON_ENCLAVE_OK && s != GNOMON_ENCLAVE_ABSENT)
			all = s;
	}
	return all;
}

static void audit(struct monitor_serve *m, struct monitor_reply *reply)
{
	const char *what;

	if (enclave_audit(m->all, &what) == 0)
		return;
	log_error("enclaves: %s", what);
	reply->failed = true;
}

static struct enclave_batch batch_of(const struct monitor_request *q)
{
	return (struct enclave_batch){.va = q->va, .pages = q->pages, .rights = q->rights, .flags = q->flags};
}

/* `content`: the slot's, which the VMM may change at any time. */
static enum gnomon_enclave_status call(struct monitor_serve *m, const struct monitor_request *q, const void *content,
                                       struct monitor_reply *reply)
{
	struct enclave_batch batch;
	enum gnomon_enclave_status s;

	switch (q->op) {
	case MONITOR_CREATE:
		return enclave_create(m->all, q->id, &q->create);
	case MONITOR_ADD:
		batch = batch_of(q);
		return enclave_add_batch(m->all, q->id, &batch, content);
	case MONITOR_MAY_ADD:
		batch = batch_of(q);
		return enclave_may_add(m->all, q->id, &batch);
	case MONITOR_EXTEND:
		return enclave_extend(m->all, q->id, q->va);
	case MONITOR_INIT:
		return init(m, q);
	case MONITOR_ENTER:
		return enclave_enter(m->all, q->id, q->va, q->args);
	case MONITOR_RESUME:
		return enclave_resume(m->all, q->id, q->ticket, q->args[0]);
	case MONITOR_REMOVE:
		s = enclave_remove(m->all, q->id, q->va);
		if (s == GNOMON_ENCLAVE_OK && m->vm[q->id])
			reply->failed = enclave_vm_forget(m->vm[q->id]) < 0;
		return s;
	case MONITOR_DESTROY:
		return destroy(m, q->id);
	case MONITOR_QUERY:
		query(m, q->id, reply);
		monitor_walk(m->all, m->memory, q->id, q->va, &reply->walk);
		reply->stage_bytes = enclave_stage_bytes(enclave_stage(m->all));
		return GNOMON_ENCLAVE_OK;
	case MONITOR_RESET:
		count(m, reply);
		return reset(m);
	case MONITOR_AUDIT:
		count(m, reply);
		audit(m, reply);
		return GNOMON_ENCLAVE_OK;
	case MONITOR_WALKS:
		return monitor_walks(m->all, m->memory, q->id, q->args, &reply->walks);
	default:
		return GNOMON_ENCLAVE_BAD_CALL;
	}
}

/* ---- a run ---- */

static enum gnomon_enclave_status report(const struct monitor_serve *m, unsigned id, uint64_t va)
{
	struct gnomon_enclave_ask *ask = enclave_writable(m->all, id, va, sizeof(*ask));
	struct gnomon_enclave_report signed_one;
	enum gnomon_enclave_status s;

	if (!ask || va % 8)
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	s = enclave_report(m->all, id, &m->key, ask->nonce, ask->user_data, &signed_one);
	if (s == GNOMON_ENCLAVE_OK)
		ask->report = signed_one;
	return s;
}

static enum gnomon_enclave_status derive_key(const struct monitor_serve *m, unsigned id, uint64_t va)
{
	void *to = enclave_writable(m->all, id, va, GNOMON_ENCLAVE_KEY_BYTES);

	return to ? enclave_derive_key(m->all, id, &m->key, to) : GNOMON_ENCLAVE_BAD_ADDRESS;
}

/* What the enclave's SYSCALL asks for. True: it was left. Else it goes on. The lock is held. */
static bool enclave_call(struct monitor_serve *m, unsigned id, struct enclave_context *c,
                         struct gnomon_enclave_left *left)
{
	const uint64_t args[GNOMON_ENCLAVE_ARGS] = {c->gpr[GPR_RSI], c->gpr[GPR_RDX], c->gpr[GPR_R8], c->gpr[GPR_R9]};

	switch (c->gpr[GPR_RAX]) {
	case GNOMON_ENCLAVE_EXIT:
		BUG_ON(enclave_exit(m->all, id, c->gpr[GPR_RDI], left) != GNOMON_ENCLAVE_OK);
		return true;
	case GNOMON_ENCLAVE_CALL_OUT:
		BUG_ON(enclave_call_out(m->all, id, c->gpr[GPR_RDI], args, left) != GNOMON_ENCLAVE_OK);
		return true;
	case GNOMON_ENCLAVE_REPORT:
		c->gpr[GPR_RAX] = report(m, id, c->gpr[GPR_RDI]);
		return false;
	case GNOMON_ENCLAVE_KEY:
		c->gpr[GPR_RAX] = derive_key(m, id, c->gpr[GPR_RDI]);
		return false;
	default:
		c->gpr[GPR_RAX] = GNOMON_ENCLAVE_BAD_CALL;
		return false;
	}
}

/* The enclave of the slot runs until it is left. The reply has the reason. */
static void run(struct monitor_serve *m, unsigned id, struct monitor_slot *slot, struct monitor_reply *reply)
{
	struct enclave_context *c = enclave_context(m->all, id);
	struct enclave_vm_stop stop;
	bool left = false;

	while (!left && !reply->failed) {
		pthread_mutex_unlock(&m->lock);
		stop = atomic_load(&slot->kick) ? (struct enclave_vm_stop){.why = ENCLAVE_STOP_KICK}
		                                : enclave_vm_run(m->vm[id], c);
		pthread_mutex_lock(&m->lock);
		switch (stop.why) {
		case ENCLAVE_STOP_CALL:
			left = enclave_call(m, id, c, &reply->left);
			break;
		case ENCLAVE_STOP_KICK:
			left = atomic_load(&slot->kick);
			if (left)
				BUG_ON(enclave_interrupted(m->all, id, &reply->left) != GNOMON_ENCLAVE_OK);
			break;
		case ENCLAVE_STOP_FAULT:
			BUG_ON(enclave_faulted(m->all, id, stop.vector, stop.address, &reply->left) !=
			       GNOMON_ENCLAVE_OK);
			left = true;
			break;
		case ENCLAVE_STOP_FAILED:
			BUG_ON(enclave_interrupted(m->all, id, &reply->left) != GNOMON_ENCLAVE_OK);
			reply->failed = true;
			break;
		}
	}
}

void monitor_serve(struct monitor_serve *m, struct monitor_slot *slot, void (*on_run)(void *ctx, struct enclave_vm *vm),
                   void *ctx)
{
	struct monitor_request q;
	struct monitor_reply reply = {0};

	memcpy(&q, &slot->request, sizeof(q)); /* the VMM may change it: this copy alone counts */
	atomic_signal_fence(memory_order_seq_cst);
	pthread_mutex_lock(&m->lock);
	reply.status = q.version == MONITOR_ABI_VERSION ? call(m, &q, slot->content, &reply) : GNOMON_ENCLAVE_BAD_CALL;
	if (reply.status == GNOMON_ENCLAVE_OK && (q.op == MONITOR_ENTER || q.op == MONITOR_RESUME)) {
		on_run(ctx, m->vm[q.id]);
		run(m, q.id, slot, &reply);
		on_run(ctx, NULL);
	}
	pthread_mutex_unlock(&m->lock);
	reply.sequence = q.sequence;
	reply.op = q.op;
	memcpy(&slot->reply, &reply, sizeof(reply));
}

bool monitor_serve_meanwhile(struct monitor_serve *m)
{
	bool did;

	pthread_mutex_lock(&m->lock);
	did = enclaves_measure_due(m->all);
	pthread_mutex_unlock(&m->lock);
	return did;
}
