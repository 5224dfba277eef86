/* SPDX-License-Identifier: MIT */
/* What `--lazy` says of a file that is damaged, however the guest ended. Nothing of this machine is mapped. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine/restore.h"
#include "snapshot_made.h"
#include "vm/vm.h"

static struct snapshot s;
static struct restore_lazy lazy;
static struct vm vm;
static int fd, signal_fd;

static enum made fill(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE])
{
	return MADE_ABSENT;
}

static void setup(void)
{
	struct snapshot_state state = made_state(1);
	struct snapshot_shape shape = made_shape();
	char why[SNAPSHOT_WHY_MAX];

	fd = memfd_create("snapshot", 0);
	made_write(fd, false, &shape, &state, MADE_MEMORY / PAGE_SIZE, fill, NULL);
	cr_assert_eq(snapshot_open_fd(dup(fd), &s, why), 0, "%s", why);
	vm.end_fd = eventfd(0, 0);
	signal_fd = eventfd(0, 0);
	pthread_mutex_init(&vm.lock, NULL);
}

static void teardown(void)
{
	snapshot_close(&s);
	close(vm.end_fd);
	close(signal_fd);
	close(fd);
}

TestSuite(restore_lazy, .init = setup, .fini = teardown);

static void damage(void)
{
	uint8_t byte;

	cr_assert_eq(pread(fd, &byte, 1, 5000), 1);
	byte ^= 1;
	cr_assert_eq(pwrite(fd, &byte, 1, 5000), 1);
}

/* The run's status with a guest that ended so, before the check began. */
static int status_after(enum vm_end how, int status)
{
	vm.end = how;
	vm.status = status;
	cr_assert_eq(restore_memory_lazily(&s, "file", &vm, &lazy), 0);
	return restore_lazy_end(&lazy, signal_fd, status);
}

Test(restore_lazy, good)
{
	cr_expect_eq(status_after(VM_EXITED, 7), 7);
	cr_expect_eq(status_after(VM_KILLED, STATUS_KILLED), STATUS_KILLED);
}

/* A guest that read what is no memory of its may end by that very thing. */
Test(restore_lazy, damaged_and_ended)
{
	damage();
	cr_expect_eq(status_after(VM_EXITED, 0), STATUS_HOST_FAILURE);
	cr_expect_eq(status_after(VM_KILLED, STATUS_KILLED), STATUS_HOST_FAILURE);
}

/* Whoever ends a run does not wait for the check. */
Test(restore_lazy, damaged_and_quit)
{
	damage();
	cr_expect_eq(status_after(VM_QUIT, 0), 0);
	cr_expect_eq(status_after(VM_STOPPED, STATUS_INTERRUPTED), STATUS_INTERRUPTED);
}

Test(restore_lazy, damaged_while_it_runs)
{
	damage();
	cr_assert_eq(restore_memory_lazily(&s, "file", &vm, &lazy), 0);
	cr_expect_eq(restore_lazy_end(&lazy, signal_fd, 0), STATUS_HOST_FAILURE);
	cr_expect_eq(vm.end, VM_HOST_FAILED);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Behind the check's back. */
Test(restore_lazy, written_after_the_check)
{
	cr_assert_eq(restore_memory_lazily(&s, "file", &vm, &lazy), 0);
	cr_assert_eq(pthread_join(lazy.thread, NULL), 0);
	vm.end = VM_EXITED;
	usleep(20000); /* a file's time has the grain of the kernel's tick */
	damage();
	cr_assert_eq(pthread_create(&lazy.thread, NULL, nothing, NULL), 0);
	cr_expect_eq(restore_lazy_end(&lazy, signal_fd, 0), STATUS_HOST_FAILURE);
}
