/* SPDX-License-Identifier: MIT */
#include "monitor/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "host/host.h"
#include "monitor/sandbox.h"
#include "monitor/serve.h"

/* Beyond its frames, an enclave has its VM's stub and run structure, and a part of the heap (enclave/internal.h). */
#define EACH_LATER (128u << 10)
#define SPINS      2000 /* some microseconds: a call takes less than it costs to sleep and be woken */

/* ---- the futex of a turn ---- */

void monitor_futex_wait(_Atomic uint32_t *word, uint32_t value, int ms)
{
	const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	(void)syscall(SYS_futex, word, FUTEX_WAIT, value, ms < 0 ? NULL : &t, NULL, 0);
}

void monitor_futex_wake(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

bool monitor_await(_Atomic uint32_t *word, uint32_t value, int ms)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load(word) != value)
			return true;
		__builtin_ia32_pause();
	}
	monitor_futex_wait(word, value, ms);
	return atomic_load(word) != value;
}

/* ---- a thread for each slot ---- */

struct worker {
	struct monitor_serve *serve;
	struct monitor_slot *slot;
	_Atomic int32_t *tid;
	pthread_t thread;
};

static _Thread_local struct enclave_vm *_Atomic running;

int monitor_signal(void)
{
	return SIGRTMIN + 2; /* the two before are the vCPUs' and base/patience.c's */
}

/* The run under way, or the one that is about to begin, ends at once. */
static void on_kick(int signal)
{
	struct enclave_vm *vm = atomic_load(&running);

	if (vm)
		enclave_vm_kick(vm);
}

static void note_run(void *ctx, struct enclave_vm *vm)
{
	atomic_store(&running, vm);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	atomic_store(w->tid, (int32_t)syscall(SYS_gettid));
	for (;;) {
		/* While the VMM fetches the next pages. */
		while (atomic_load(&w->slot->turn) == MONITOR_TURN_VMM && monitor_serve_meanwhile(w->serve))
			;
		while (!monitor_await(&w->slot->turn, MONITOR_TURN_VMM, -1))
			;
		monitor_serve(w->serve, w->slot, note_run, NULL);
		atomic_store(&w->slot->turn, MONITOR_TURN_VMM);
		monitor_futex_wake(&w->slot->turn);
	}
	return NULL;
}

/* ---- the process ---- */

/* Nothing of the VMM's but its standard error stays open; its signals are not for us. */
static void leave_parent(pid_t parent)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN}, kick = {.sa_handler = on_kick};
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	sigset_t none;
	int null;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		(void)sigaction(ignored[i], &ignore, NULL);
	(void)sigaction(monitor_signal(), &kick, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(1);
	if (close_range(3, ~0u, 0) < 0) /* Linux 5.9 */
		for (int fd = 3; fd < sysconf(_SC_OPEN_MAX); fd++)
			close(fd);
	(void)prctl(PR_SET_NAME, "gnomon-monitor");
}

/*
 * Nothing of it is swapped out. It takes CAP_IPC_LOCK, or a limit on locked memory that is high enough, for what enclaves
 * need later, too: the host refuses memory beyond it, and INIT would fail for that.
 */
static bool lock_memory(uint64_t secure)
{
	const uint64_t later = GNOMON_ENCLAVE_MAX * EACH_LATER + secure / 32;
	void *p;

	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return false;
	p = mmap(NULL, later, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		munmap(p, later);
	else
		(void)munlockall();
	return p != MAP_FAILED;
}

static int start(const struct monitor_process_config *c, struct monitor_serve *serve, struct worker *w)
{
	int r;
	struct monitor_serve_config config = {.size = c->memory, .levels = c->levels, .buffers = c->buffers};

	config.kvm_fd = open(host_kvm_path(), O_RDWR | O_CLOEXEC);
	if (config.kvm_fd < 0)
		return log_errno(errno, "the enclave monitor cannot open %s", host_kvm_path());
	r = sandbox_monitor_files();
	if (r == 0)
		r = monitor_serve_init(serve, &config);
	if (r < 0)
		return r;
	memcpy(c->shared->public_key, serve->key.public, sizeof(c->shared->public_key));
	for (int i = 0; i < c->slots; i++) {
		w[i] = (struct worker){.serve = serve, .slot = &c->shared->slot[i], .tid = &c->shared->tid[i]};
		r = thread_start(&w[i].thread, work, &w[i]);
		if (r)
			return log_errno(r, "a thread of the enclave monitor");
	}
	for (int i = 0; i < c->slots; i++) /* a thread's own beginning needs calls that the filter lacks */
		while (!atomic_load(&c->shared->tid[i]))
			sched_yield();
	c->shared->locked = lock_memory(c->memory);
	return sandbox_monitor();
}

_Noreturn void monitor_process(const struct monitor_process_config *c)
{
	static struct monitor_serve serve;
	static struct worker worker[MONITOR_SLOTS_MAX];
	int r;

	leave_parent(c->parent);
	(void)mallopt(M_ARENA_MAX, 1); /* more of them ask for calls that the sandbox refuses */
	r = start(c, &serve, worker);
	atomic_store(&c->shared->ready, r < 0 ? 2 : 1);
	monitor_futex_wake(&c->shared->ready);
	if (r < 0)
		_exit(1);
	for (;;)
		monitor_futex_wait(&c->shared->ready, 1, -1);
}
