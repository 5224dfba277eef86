/* SPDX-License-Identifier: MIT */
/*
 * An enclave in a KVM VM of its own. What is protected here: it runs what it was built from, reaches its pages with
 * their rights and its buffer and nothing else, keeps its registers over interrupts and calls out, and whatever it
 * does becomes a reason for its kernel.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/enclave_vm.h"
#include "sample.h"
#include "stub/stub.h"

#define MEMORY (64 * PAGE_SIZE)
#define STUB   (1ull << 33)
#define BASE   0x10000000ull
#define BUFFER 0x20000000ull
#define ID     7

static struct enclaves *all;
static struct enclave_vm *vm;
static uint8_t *memory;
static uint64_t *buffer;
static int kvm_fd;
static struct gnomon_enclave_left left;

static void on_signal(int signal)
{
}

static void build(void)
{
	const struct gnomon_enclave_create create = {.base = BASE,
	                                             .size = 3 * PAGE_SIZE,
	                                             .entry = BASE,
	                                             .stack = BASE + 3 * PAGE_SIZE,
	                                             .buffer = BUFFER,
	                                             .buffer_size = PAGE_SIZE};
	static const uint8_t zero[PAGE_SIZE];
	struct enclave_info info;

	cr_assert_eq(sample_end - sample, (long)PAGE_SIZE);
	cr_assert_eq(enclave_create(all, ID, &create), 0);
	cr_assert_eq(enclave_add(all, ID, BASE, GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X, sample), 0);
	cr_assert_eq(enclave_add(all, ID, BASE + PAGE_SIZE, GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W, zero), 0);
	cr_assert_eq(enclave_init(all, ID, NULL), 0);
	cr_assert(enclave_look(all, ID, &info));
	vm = enclave_vm_create(&(struct enclave_vm_config){kvm_fd, memory, (uint8_t *)buffer, false}, &info,
	                       maddr_init(STUB));
	cr_assert(vm);
}

static void begin(void)
{
	struct enclave_fixed fixed[ENCLAVE_VM_FIXED];
	struct sigaction action = {.sa_handler = on_signal};

	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm_fd < 0) {
		cr_assert_null(getenv("GNOMON_MUST_HAVE_KVM"), "no /dev/kvm");
		cr_skip("no usable /dev/kvm");
	}
	sigaction(SIGUSR1, &action, NULL);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	buffer = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(memory != MAP_FAILED && buffer != MAP_FAILED);
	enclave_vm_fixed(maddr_init(STUB), fixed);
	all = enclaves_create(&(struct enclaves_config){.memory = memory,
	                                                .size = MEMORY,
	                                                .levels = 4,
	                                                .buffers = maddr_init(1ull << 32),
	                                                .fixed = fixed,
	                                                .nr_fixed = ENCLAVE_VM_FIXED});
	cr_assert(all);
	build();
}

static void end(void)
{
	const char *what;

	cr_expect_eq(enclave_audit(all, &what), 0);
	enclave_vm_destroy(vm);
	enclaves_destroy(all);
	munmap(memory, MEMORY);
	munmap(buffer, PAGE_SIZE);
	close(kvm_fd);
}

TestSuite(enclave_vm, .init = begin, .fini = end, .timeout = 60);

/* What the monitor will do with a stop. */
static void go_on(void)
{
	struct enclave_context *c = enclave_context(all, ID);
	const struct enclave_vm_stop stop = enclave_vm_run(vm, c);
	const uint64_t args[GNOMON_ENCLAVE_ARGS] = {c->gpr[6], c->gpr[2], c->gpr[8], c->gpr[9]};

	if (stop.why == ENCLAVE_STOP_KICK)
		cr_assert_eq(enclave_interrupted(all, ID, &left), 0);
	else if (stop.why == ENCLAVE_STOP_FAULT)
		cr_assert_eq(enclave_faulted(all, ID, stop.vector, stop.address, &left), 0);
	else if (stop.why == ENCLAVE_STOP_CALL && c->gpr[0] == GNOMON_ENCLAVE_EXIT)
		cr_assert_eq(enclave_exit(all, ID, c->gpr[7], &left), 0);
	else if (stop.why == ENCLAVE_STOP_CALL && c->gpr[0] == GNOMON_ENCLAVE_CALL_OUT)
		cr_assert_eq(enclave_call_out(all, ID, c->gpr[7], args, &left), 0);
	else
		cr_assert_fail("stop %d, RAX %#llx", stop.why, (unsigned long long)c->gpr[0]);
}

static void enter(enum sample what, uint64_t with, uint64_t more)
{
	const uint64_t args[GNOMON_ENCLAVE_ARGS] = {what, with, more};

	cr_assert_eq(enclave_enter(all, ID, BASE, args), 0);
	go_on();
}

static void resume(uint64_t result)
{
	cr_assert_eq(enclave_resume(all, ID, left.ticket, result), 0);
	go_on();
}

Test(enclave_vm, returns)
{
	for (uint64_t n = 0; n < 100; n++) {
		enter(SAMPLE_SUM, n << 40, n);
		cr_assert_eq(left.reason, GNOMON_ENCLAVE_EXITED);
		cr_assert_eq(left.value, (n << 40) + n);
	}
}

Test(enclave_vm, calls_out)
{
	enter(SAMPLE_ASK, 77, 78);
	cr_assert_eq(left.reason, GNOMON_ENCLAVE_CALLED_OUT);
	cr_expect_eq(left.value, 5);
	cr_expect_eq(left.args[0], 77);
	cr_expect_eq(left.args[1], 78);
	resume(0x34);
	cr_assert_eq(left.reason, GNOMON_ENCLAVE_EXITED);
	cr_expect_eq(left.value, 0x1034);
}

Test(enclave_vm, keeps_its_data)
{
	for (uint64_t n = 0; n < 10; n++) {
		enter(SAMPLE_COUNT, 0, 0);
		cr_assert_eq(left.reason, GNOMON_ENCLAVE_EXITED, "reason %u", left.reason);
		cr_assert_eq(left.value, n);
	}
}

/* Pages it may not have, the stub's among them; a fault goes on until it is given up. */
Test(enclave_vm, faults)
{
	const struct {
		enum sample what;
		uint64_t at;
	} bad[] = {{SAMPLE_PEEK, 0},
	           {SAMPLE_PEEK, BASE - 8},
	           {SAMPLE_PEEK, BASE + 2 * PAGE_SIZE},
	           {SAMPLE_POKE, BASE + 0x800},
	           {SAMPLE_PEEK, BUFFER + PAGE_SIZE},
	           {SAMPLE_PEEK, 0xfffffe0000000000},
	           {SAMPLE_POKE, 0xfffffe0000003000},
	           {SAMPLE_PEEK, 0xfffffe0000002000},
	           {SAMPLE_PEEK, stub_address(stub_syscall)}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		enter(bad[i].what, bad[i].at, 0);
		for (int again = 0; again < 3; again++) {
			cr_assert_eq(left.reason, GNOMON_ENCLAVE_FAULTED, "%#llx", (unsigned long long)bad[i].at);
			cr_expect_eq(left.value, 14);
			cr_expect_eq(left.address, bad[i].at & PAGE_MASK);
			resume(0);
		}
		enclave_vm_destroy(vm);
		cr_assert_eq(enclave_destroy(all, ID), 0);
		build();
	}
}

Test(enclave_vm, instructions_that_it_may_not)
{
	enter(SAMPLE_PRIVILEGED, 0, 0);
	cr_expect_eq(left.reason, GNOMON_ENCLAVE_FAULTED);
	cr_expect_eq(left.value, 13);
	cr_expect_eq(left.address, 0);
	enclave_vm_destroy(vm);
	cr_assert_eq(enclave_destroy(all, ID), 0);
	build();
	enter(99, 0, 0);
	cr_expect_eq(left.value, 6);
}

Test(enclave_vm, shares_its_buffer)
{
	buffer[0] = 41;
	enter(SAMPLE_COPY, 0, BUFFER);
	cr_expect_eq(left.value, 42);
	cr_expect_eq(buffer[0], 42);
}

Test(enclave_vm, has_an_fs_base)
{
	uint64_t first;

	memcpy(&first, sample, sizeof(first));
	enter(SAMPLE_FS, 0, 0);
	cr_expect_eq(left.reason, GNOMON_ENCLAVE_EXITED);
	cr_expect_eq(left.value, first);
}

/* Whatever an enclave loads, the next ENTER finds FS as the first one did. */
Test(enclave_vm, segments_begin_anew)
{
	uint64_t first;

	memcpy(&first, sample, sizeof(first));
	for (int i = 0; i < 3; i++) {
		enter(SAMPLE_SEGMENTS, STUB_USER_SS, 0);
		cr_assert_eq(left.reason, GNOMON_ENCLAVE_CALLED_OUT);
		resume(0);
		cr_assert_eq(left.reason, GNOMON_ENCLAVE_EXITED);
		enter(SAMPLE_FS, 0, 0);
		cr_assert_eq(left.reason, GNOMON_ENCLAVE_EXITED);
		cr_expect_eq(left.value, first);
	}
}

/* What goes back in of RFLAGS is what a program may have: DF, here, and neither NT, AC nor ID. */
Test(enclave_vm, keeps_a_programs_flags)
{
	enter(SAMPLE_FLAGS, 0x244602, 0);
	cr_assert_eq(left.reason, GNOMON_ENCLAVE_CALLED_OUT, "vector %llu at %#llx", (unsigned long long)left.value,
	             (unsigned long long)left.address);
	resume(0);
	cr_assert_eq(left.reason, GNOMON_ENCLAVE_EXITED);
	cr_expect_eq(left.value & 0x244400, 0x400, "%#llx", (unsigned long long)left.value);
}

static void *disturb(void *arg)
{
	const pthread_t *thread = arg;

	for (int i = 0; i < 50; i++) {
		usleep(2000);
		enclave_vm_kick(vm);
		pthread_kill(*thread, SIGUSR1);
	}
	__atomic_store_n(&buffer[0], 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* A loop is interrupted like any program, learns nothing of it, and keeps what it had in its registers. */
Test(enclave_vm, is_interrupted)
{
	pthread_t self = pthread_self(), thread;
	int interrupts = 0;

	buffer[0] = 0;
	cr_assert_eq(pthread_create(&thread, NULL, disturb, &self), 0);
	enter(SAMPLE_SPIN, 0x123456789abcdef, BUFFER);
	while (left.reason == GNOMON_ENCLAVE_INTERRUPTED) {
		interrupts++;
		resume(interrupts);
	}
	pthread_join(thread, NULL);
	cr_expect_eq(left.reason, GNOMON_ENCLAVE_EXITED);
	cr_expect_eq(left.value, 0x123456789abcdef);
	cr_expect_geq(interrupts, 1);
}

/* A page that was removed is gone, though it was in use, and the enclave lives on. */
Test(enclave_vm, loses_a_page)
{
	enter(SAMPLE_COUNT, 0, 0);
	cr_expect_eq(left.value, 0);
	enter(SAMPLE_ASK, 0, 0); /* left in the midst of something */
	cr_assert_eq(enclave_remove(all, ID, BASE + PAGE_SIZE), 0);
	cr_assert_eq(enclave_vm_forget(vm), 0);
	resume(1);
	cr_expect_eq(left.value, 0x1001);
	enter(SAMPLE_COUNT, 0, 0);
	cr_expect_eq(left.reason, GNOMON_ENCLAVE_FAULTED);
	cr_expect_eq(left.address, BASE + PAGE_SIZE);
}

/* In a process of its own: of a user who may have no thread more. It ends with 0 if there is no enclave's VM then. */
static void make_without_threads(void)
{
	const struct rlimit none = {0};
	struct enclave_info info;

	if (setrlimit(RLIMIT_NPROC, &none) < 0 || setresuid(65534, 65534, 65534) < 0 || !enclave_look(all, ID, &info))
		_exit(2);
	_exit(enclave_vm_create(&(struct enclave_vm_config){kvm_fd, memory, (uint8_t *)buffer, false}, &info,
	                        maddr_init(STUB))
	          ? 1
	          : 0);
}

/* KVM needs a thread for a VM: at once, or when it first runs. There is none, and INIT can say so. */
Test(enclave_vm, no_threads)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip("not root");
	pid = fork();
	if (pid == 0)
		make_without_threads();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "status %#x", status);
}
