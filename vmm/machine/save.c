/* SPDX-License-Identifier: MIT */
#include "machine/save.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "kvm/cpuid.h"
#include "platform/enclave.h"
#include "vm/rest.h"
#include "vm/saved.h"

/* --- what is saved beside memory --- */

static void describe(const struct save *s, struct snapshot_shape *ret)
{
	struct utsname host;
	struct timespec now;

	_Static_assert(CPUID_FEATURE_WORDS == SNAPSHOT_FEATURES && VM_MAX_CPUS <= SNAPSHOT_CPUS_MAX, "the format's");
	*ret = (struct snapshot_shape){.memory = s->vm->mem.size,
	                               .cpus = s->vm->nr_vcpus,
	                               .maxphyaddr = cpuid_maxphyaddr(),
	                               .tsc_hz = vm_tsc_hz(s->vm)};
	clock_gettime(CLOCK_REALTIME, &now);
	ret->created_ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000;
	cpuid_features(ret->features, ret->vendor);
	memcpy(ret->base, s->since.base, sizeof(ret->base));
	if (*ret->base)
		memcpy(ret->base_root, s->since.root, sizeof(ret->base_root));
	snprintf(ret->paging, sizeof(ret->paging), "%s", s->vm->paging->name);
	snprintf(ret->gnomon, sizeof(ret->gnomon), "%s", GNOMON_VERSION);
	snprintf(ret->guest, sizeof(ret->guest), "%s", s->guest);
	if (uname(&host) == 0)
		snprintf(ret->kernel, sizeof(ret->kernel), "%.63s", host.release);
}

static int save_cpus(struct vm *vm, struct cpu_saved *ret_cpu, char *ret_why)
{
	int r = 0;

	for (int i = 0; r == 0 && i < vm->nr_vcpus; i++) {
		r = vcpu_save(vm->vcpu[i], &ret_cpu[i]);
		if (r == -EAGAIN)
			snprintf(ret_why, VM_WHY_MAX, "vCPU %d calls an enclave", i);
		else if (r < 0)
			snprintf(ret_why, VM_WHY_MAX, "KVM does not tell the state of vCPU %d", i);
	}
	return r;
}

/* Into bytes that the child will find. */
static int save_state(struct save *s, char *ret_why)
{
	struct vm *vm = s->vm;
	struct snapshot_state state = {
	    .image = gpa_raw(s->platform->image),
	    .image_end = gpa_raw(s->platform->image_end),
	    .changes = vm->history.changes,
	    .since_ms = vm->history.since_ms,
	    .change_us = vm->history.us,
	    .nr_cpus = vm->nr_vcpus,
	    .cpu = calloc(vm->nr_vcpus, sizeof(struct cpu_saved)),
	};
	int r = state.cpu ? balloon_save(&s->platform->balloon, &state.balloon) : -ENOMEM;

	if (r < 0)
		snprintf(ret_why, VM_WHY_MAX, "%s",
		         r == -EAGAIN ? "The balloon is at a request" : "The host has no memory for the state");
	if (r == 0) {
		serial_save(s->console, &state.serial);
		r = save_cpus(vm, state.cpu, ret_why);
	}
	if (r == 0)
		r = snapshot_state_write(&state, &s->state, &s->state_size);
	if (r == -ENOMEM)
		snprintf(ret_why, VM_WHY_MAX, "The host has no memory for the state");
	snapshot_state_free(&state);
	return r;
}

/* --- the pause: a vm_rest_fn --- */

static int capture(struct vm *vm, void *ctx, char *ret_why)
{
	struct save *s = ctx;
	int r;

	if (vm->enclaves && platform_enclaves_any(vm->enclaves)) {
		snprintf(ret_why, VM_WHY_MAX, "The guest has enclaves, and nobody may read those");
		return -EPERM;
	}
	r = save_state(s, ret_why);
	if (r == 0)
		r = save_since_take(s, ret_why);
	if (r < 0)
		goto no_state;
	describe(s, &s->shape);
	s->start_us = clock_us();
	s->parent = getpid();
	s->child = fork();
	if (s->child == 0)
		save_child(s);
	if (s->child > 0)
		return 0;
	r = -errno;
	save_since_end(s, false);
	snprintf(ret_why, VM_WHY_MAX, "The host gives no process to write it (%s)", strerror(-r));
no_state:
	free(s->state);
	s->state = NULL;
	return r;
}

/* --- the watcher --- */

static void look(const struct save *s, struct control_snapshot *ret)
{
	const struct save_progress *p = s->progress;
	const char *how = strsignal(-s->error);

	*ret = (struct control_snapshot){
	    .status = s->saving                  ? "saving"
	              : !*s->file                ? "none"
	              : s->error || s->cancelled ? "failed"
	                                         : "saved",
	    .pause_us = s->pause_us,
	    .ms = (uint64_t)((s->saving ? clock_us() : s->end_us) - s->start_us) / 1000,
	    .pages = s->vm->mem.size / PAGE_SIZE,
	    .done = atomic_load(&p->done),
	    .stored = atomic_load(&p->stored),
	    .zero = atomic_load(&p->zero),
	    .absent = atomic_load(&p->absent),
	    .bytes = atomic_load(&p->bytes),
	    .unchanged = atomic_load(&p->unchanged),
	};
	snprintf(ret->file, sizeof(ret->file), "%s", s->file);
	snprintf(ret->base, sizeof(ret->base), "%s", s->shape.base);
	if (s->cancelled)
		snprintf(ret->error, sizeof(ret->error), "the run was interrupted");
	else if (s->error && !s->step)
		snprintf(ret->error, sizeof(ret->error), "the process that wrote it was killed (%s)", how);
	else if (s->error)
		snprintf(ret->error, sizeof(ret->error), "the host cannot %s it: %s", s->step, strerror(-s->error));
}

static void *watch(void *arg)
{
	struct control_snapshot *now = malloc(sizeof(*now));
	struct save *s = arg;
	int status = 0;

	/* Reaped under the lock, so that nobody kills another process of this number. */
	while (waitid(P_PID, (id_t)s->child, &(siginfo_t){0}, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&s->lock);
	(void)waitpid(s->child, &status, 0);
	s->step = WIFEXITED(status) ? atomic_load(&s->progress->step) : NULL;
	s->error = WIFEXITED(status) ? atomic_load(&s->progress->error) : -WTERMSIG(status);
	if (WIFEXITED(status) && WEXITSTATUS(status) && !s->error)
		s->error = -EIO;
	if (s->error == 0)
		s->cancelled = false; /* it was ready before */
	replace_abandon(&s->out);     /* a file without a name; one that has a name if the child could not remove it */
	free(s->state);
	s->state = NULL;
	s->saving = false;
	s->end_us = clock_us();
	if (now)
		look(s, now);
	pthread_mutex_unlock(&s->lock);
	if (now && s->ended)
		s->ended(s->ctx, now);
	free(now);
	return NULL;
}

/* --- from outside --- */

int save_init(struct save *s, struct vm *vm, struct serial *console, struct platform *platform, const char *guest)
{
	*s = (struct save){.vm = vm, .console = console, .platform = platform, .guest = guest};
	s->progress = mmap(NULL, sizeof(*s->progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->progress == MAP_FAILED)
		return log_errno(errno, "no memory for snapshots");
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void save_destroy(struct save *s)
{
	vm_dirty_end(s->vm, &s->since.log);
	free(s->since.taken);
	pthread_mutex_destroy(&s->lock);
	munmap(s->progress, sizeof(*s->progress));
}

/*
 * The watcher's thread, which has nothing more to do. s->lock is held, so that only one thread joins it: it does not
 * take the lock any more.
 */
static void join(struct save *s)
{
	if (s->has_watcher)
		pthread_join(s->watcher, NULL);
	s->has_watcher = false;
}

/* With the file open. -errno with *err. */
static int begin(struct save *s, struct control_error *err)
{
	char why[VM_WHY_MAX] = "";
	int r;

	memset(s->progress, 0, sizeof(*s->progress));
	pthread_mutex_lock(&s->vm->change_lock);
	r = vm_at_rest(s->vm, capture, s, &s->pause_us, why);
	pthread_mutex_unlock(&s->vm->change_lock);
	if (r < 0)
		return control_fail(err, -r, "%s; the guest goes on as it was", why);
	s->error = 0;
	s->cancelled = false;
	s->saving = true;
	r = thread_start(&s->watcher, watch, s);
	s->has_watcher = r == 0;
	if (r == 0)
		return 0;
	kill(s->child, SIGKILL);
	(void)waitpid(s->child, NULL, 0);
	s->saving = false;
	save_since_end(s, false);
	free(s->state);
	s->state = NULL;
	return control_fail(err, r, "The host gives no thread to watch it");
}

/* With s->lock held. */
static void settle(struct save *s)
{
	if (!s->saving)
		save_since_end(s, s->error == 0 && !s->cancelled);
}

void save_settle(struct save *s)
{
	pthread_mutex_lock(&s->lock);
	settle(s);
	pthread_mutex_unlock(&s->lock);
}

/* With s->lock held: whether a save can begin at all, and nothing is left of the one before. -errno with *err. */
static int make_ready(struct save *s, const char *file, struct control_error *err)
{
	if (s->saving)
		return control_fail(err, EBUSY, "A snapshot is being saved to %s", s->file);
	/* From here on nobody may begin: save_finish() waits for one save, and what it needs is gone then. */
	if (vm_has_ended(s->vm))
		return control_fail(err, ECANCELED, "The run has ended");
	join(s);
	settle(s);
	return strlen(file) < sizeof(s->file) ? 0 : control_fail(err, ENAMETOOLONG, "The file's name is too long");
}

/* With the new file open, which is not left behind. -errno with *err. */
static int begin_with(struct save *s, const struct control_save *wanted, struct control_error *err)
{
	int r;

	s->compress = wanted->compress;
	s->track = wanted->track;
	r = save_since_check(s, wanted->since, err);
	if (r == 0)
		r = begin(s, err);
	if (r < 0)
		replace_abandon(&s->out);
	return r;
}

int save_begin(struct save *s, const struct control_save *wanted, uint64_t *ret_pause_us, struct control_error *err)
{
	const char *file = wanted->file;
	int r;

	pthread_mutex_lock(&s->lock);
	r = make_ready(s, file, err);
	if (r < 0)
		goto out;
	r = replace_begin(file, &s->out);
	if (r < 0)
		r = control_fail(err, -r, "The file %s cannot be made: %s", file,
		                 r == -EEXIST ? "something else stands there" : strerror(-r));
	else
		r = begin_with(s, wanted, err);
	if (r == 0) {
		strcpy(s->file, file);
		*ret_pause_us = s->pause_us;
	}
out:
	pthread_mutex_unlock(&s->lock);
	return r;
}

void save_look(struct save *s, struct control_snapshot *ret)
{
	pthread_mutex_lock(&s->lock);
	look(s, ret);
	pthread_mutex_unlock(&s->lock);
}

void save_finish(struct save *s, bool cancel)
{
	pthread_t watcher;
	bool has_watcher;

	pthread_mutex_lock(&s->lock);
	if (s->saving && cancel) {
		s->cancelled = true;
		kill(s->child, SIGKILL);
	}
	/* Not with the lock, which the watcher needs; the control thread finds nothing to join. */
	has_watcher = s->has_watcher;
	watcher = s->watcher;
	s->has_watcher = false;
	pthread_mutex_unlock(&s->lock);
	if (has_watcher)
		pthread_join(watcher, NULL);
}
