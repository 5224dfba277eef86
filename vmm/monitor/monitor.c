/* SPDX-License-Identifier: MIT */
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "host/host.h"
#include "monitor/process.h"
#include "monitor/sandbox.h"
#include "monitor/serve.h"

#define BUFFERS    ((GNOMON_ENCLAVE_MAX + 1ull) * GNOMON_ENCLAVE_BUFFER_MAX)
#define LOOK_MS    100  /* how often a caller that waits looks whether the monitor lives */
#define SERVES     1    /* `ready`; otherwise monitor_start() fails, and no death is told */
#define PATIENT_MS 2000 /* who does not wait for ever */

struct monitor {
	struct monitor_config config;
	struct monitor_shared *shared;
	size_t shared_size;
	uint8_t *buffers;
	int buffers_fd;
	struct monitor_request request[MONITOR_SLOTS_MAX]; /* the next of each slot */
	uint32_t sequence[MONITOR_SLOTS_MAX];              /* its last */

	/* the process */
	pid_t pid;
	pthread_t watcher;
	bool watched;
	atomic_bool dead, stopping;

	/* or the same code here */
	struct monitor_serve serve;
	int kvm_fd;
	pthread_mutex_t lock; /* guards `running` */
	struct enclave_vm *running[MONITOR_SLOTS_MAX];
	pthread_t runner[MONITOR_SLOTS_MAX];
};

/* ---- start and end ---- */

/* The buffers have a descriptor, by which the VMM shows them to the guest. */
static int map(struct monitor *m)
{
	const int rw = PROT_READ | PROT_WRITE;
	void *p = mmap(NULL, m->shared_size, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	m->shared = p;
	m->buffers_fd = memfd_create("gnomon-enclave-buffers", MFD_CLOEXEC);
	if (m->buffers_fd < 0 || ftruncate(m->buffers_fd, BUFFERS) < 0)
		return -errno;
	p = mmap(NULL, BUFFERS, rw, MAP_SHARED | MAP_NORESERVE, m->buffers_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	m->buffers = p;
	return 0;
}

static void *watch(void *arg)
{
	struct monitor *m = arg;
	int status = 0;

	while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
		;
	atomic_store(&m->dead, true);
	if (!atomic_load(&m->stopping) && atomic_load(&m->shared->ready) == SERVES && m->config.on_death)
		m->config.on_death(m->config.ctx, status);
	return NULL;
}

static int start_process(struct monitor *m)
{
	const struct monitor_process_config c = {.parent = getpid(),
	                                         .memory = m->config.memory,
	                                         .levels = m->config.levels,
	                                         .slots = m->config.slots,
	                                         .buffers = m->buffers,
	                                         .shared = m->shared};
	int r = sandbox_check();

	if (r < 0)
		return r;
	m->pid = fork();
	if (m->pid < 0)
		return log_errno(errno, "cannot fork the enclave monitor");
	if (m->pid == 0)
		monitor_process(&c);
	r = m->config.wall ? sandbox_vmm() : 0; /* before there is a thread that it would not hold */
	if (r < 0)
		return r;
	r = thread_start(&m->watcher, watch, m);
	if (r)
		return log_errno(r, "a thread for the enclave monitor");
	m->watched = true;
	while (!atomic_load(&m->shared->ready) && !atomic_load(&m->dead))
		(void)monitor_await(&m->shared->ready, 0, LOOK_MS);
	if (!atomic_load(&m->shared->ready))
		log_error("the enclave monitor ended before it was ready");
	return atomic_load(&m->shared->ready) == SERVES ? 0 : -EIO; /* it said why */
}

/* It only ends KVM_RUN. */
static void on_kick(int signal)
{
}

static int start_thread(struct monitor *m)
{
	const struct sigaction kick = {.sa_handler = on_kick};
	struct monitor_serve_config c = {.size = m->config.memory, .levels = m->config.levels, .buffers = m->buffers};
	int r;

	(void)sigaction(monitor_signal(), &kick, NULL);
	m->kvm_fd = open(host_kvm_path(), O_RDWR | O_CLOEXEC);
	if (m->kvm_fd < 0)
		return log_errno(errno, "cannot open %s", host_kvm_path());
	c.kvm_fd = m->kvm_fd;
	r = monitor_serve_init(&m->serve, &c);
	if (r == 0)
		memcpy(m->shared->public_key, m->serve.key.public, sizeof(m->shared->public_key));
	return r;
}

struct monitor *monitor_start(const struct monitor_config *config)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int r;

	BUG_ON(config->slots < 1 || config->slots > MONITOR_SLOTS_MAX);
	if (!m) {
		log_error("no memory for the enclave monitor");
		return NULL;
	}
	m->config = *config;
	m->kvm_fd = m->buffers_fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	m->shared_size = sizeof(*m->shared) + config->slots * sizeof(struct monitor_slot);
	r = map(m);
	if (r < 0)
		(void)log_errno(-r, "memory for the enclave monitor");
	else
		r = config->kind == MONITOR_PROCESS ? start_process(m) : start_thread(m);
	if (r == 0)
		return m;
	monitor_stop(m);
	return NULL;
}

void monitor_stop(struct monitor *m)
{
	if (!m)
		return;
	atomic_store(&m->stopping, true);
	if (m->pid > 0) {
		if (!atomic_load(&m->dead) &&
		    kill(m->pid, SIGKILL) < 0) { /* ours to reap: no other process has its number */
			/* Who waited for it would wait for ever. Its watcher still looks at `m`, so nothing is freed. */
			(void)log_errno(errno, "cannot end the enclave monitor, which ends with this process");
			return;
		}
		if (m->watched)
			pthread_join(m->watcher, NULL);
		else
			(void)waitpid(m->pid, NULL, 0);
	}
	monitor_serve_destroy(&m->serve);
	if (m->kvm_fd >= 0)
		close(m->kvm_fd);
	if (m->shared)
		munmap(m->shared, m->shared_size);
	if (m->buffers)
		munmap(m->buffers, BUFFERS);
	if (m->buffers_fd >= 0)
		close(m->buffers_fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* ---- calls ---- */

struct monitor_request *monitor_request(struct monitor *m, int slot)
{
	return &m->request[slot];
}

void *monitor_content(struct monitor *m, int slot)
{
	return m->shared->slot[slot].content;
}

/* How long a call waits. */
struct patience {
	int64_t limit, waited; /* milliseconds; limit 0: for ever */
	int64_t looked;        /* on the clock */
};

static int64_t limit_of(const struct monitor *m, uint32_t op)
{
	if (op == MONITOR_QUERY || (m->config.ended && m->config.ended(m->config.ctx)))
		return PATIENT_MS;
	return op == MONITOR_RESET ? m->config.reset_ms : 0;
}

/*
 * Time counts from when the limit began to hold, however often somebody looked before. What goes by while this process
 * is stopped does not: the monitor may have been stopped with it, as ^Z does.
 */
static bool is_impatient(const struct monitor *m, struct patience *p, uint32_t op)
{
	const int64_t now = clock_ms(), limit = limit_of(m, op), since = now - p->looked;

	p->waited = limit != p->limit ? 0 : p->waited + (since < LOOK_MS ? since : LOOK_MS);
	p->limit = limit;
	p->looked = now;
	return limit && p->waited >= limit;
}

static int await_turn(struct monitor *m, struct monitor_slot *s, struct patience *p, uint32_t op)
{
	while (!monitor_await(&s->turn, MONITOR_TURN_MONITOR, LOOK_MS)) {
		if (atomic_load(&m->dead) && atomic_load(&s->turn) == MONITOR_TURN_MONITOR)
			return -EPIPE;
		if (is_impatient(m, p, op))
			return -ETIMEDOUT;
	}
	return 0;
}

/* A call of the slot that was given up comes first, or the monitor could take this request for it. */
static int call_process(struct monitor *m, struct monitor_slot *s, const struct monitor_request *q)
{
	struct patience p = {0};
	int r = await_turn(m, s, &p, q->op);

	if (r < 0)
		return r;
	s->request = *q;
	atomic_store(&s->turn, MONITOR_TURN_MONITOR);
	monitor_futex_wake(&s->turn);
	return await_turn(m, s, &p, q->op);
}

struct here {
	struct monitor *m;
	int slot;
};

static void note_run(void *ctx, struct enclave_vm *vm)
{
	const struct here *h = ctx;

	pthread_mutex_lock(&h->m->lock);
	h->m->running[h->slot] = vm;
	h->m->runner[h->slot] = pthread_self();
	pthread_mutex_unlock(&h->m->lock);
}

int monitor_call(struct monitor *m, int slot, struct monitor_reply *ret)
{
	struct monitor_slot *s = &m->shared->slot[slot];
	struct monitor_request q = m->request[slot];
	struct monitor_reply reply;
	int r = 0;

	q.version = MONITOR_ABI_VERSION;
	q.sequence = ++m->sequence[slot];
	if (m->config.kind == MONITOR_PROCESS) {
		r = call_process(m, s, &q);
	} else {
		s->request = q;
		monitor_serve(&m->serve, s, note_run, &(struct here){m, slot});
	}
	if (r < 0)
		return r;
	memcpy(&reply, &s->reply, sizeof(reply));
	if (reply.sequence != q.sequence || reply.op != q.op)
		return -EIO; /* of another request */
	*ret = reply;
	return reply.failed ? -EIO : 0;
}

void monitor_ready(struct monitor *m, int slot)
{
	atomic_store(&m->shared->slot[slot].kick, 0);
}

void monitor_kick(struct monitor *m, int slot)
{
	atomic_store(&m->shared->slot[slot].kick, 1);
	if (m->config.kind == MONITOR_PROCESS) {
		if (!atomic_load(&m->dead))
			(void)syscall(SYS_tgkill, m->pid, atomic_load(&m->shared->tid[slot]), monitor_signal());
		return;
	}
	pthread_mutex_lock(&m->lock);
	if (m->running[slot]) {
		enclave_vm_kick(m->running[slot]);
		pthread_kill(m->runner[slot], monitor_signal());
	}
	pthread_mutex_unlock(&m->lock);
}

uint8_t *monitor_buffers(struct monitor *m)
{
	return m->buffers;
}

int monitor_clear_buffer(struct monitor *m, unsigned id)
{
	const off_t at = (off_t)(id * (uint64_t)GNOMON_ENCLAVE_BUFFER_MAX);

	return fallocate(m->buffers_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, GNOMON_ENCLAVE_BUFFER_MAX) < 0
	           ? -errno
	           : 0;
}

int monitor_buffers_fd(const struct monitor *m)
{
	return m->buffers_fd;
}

bool monitor_is_locked(const struct monitor *m)
{
	return m->shared->locked;
}

const uint8_t *monitor_public_key(const struct monitor *m)
{
	return m->shared->public_key;
}
