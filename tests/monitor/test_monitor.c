/* SPDX-License-Identifier: MIT */
/*
 * The monitor behind its slots, as a process and in this one. What is protected here: both do the same; no message,
 * however wrong, does harm; a run ends at a kick; the VMM's process cannot look into the monitor's; and when one of the
 * two dies, the other notices.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "monitor/monitor.h"
#include "sample.h"

#define BASE   0x10000000ull
#define BUFFER 0x20000000ull
#define ID     3
#define SLOTS  3
#define MEMORY (64ull << 20)

static struct monitor *m;
static struct monitor_reply reply;
static atomic_int deaths;

static void on_death(void *ctx, int status)
{
	atomic_fetch_add(&deaths, 1);
}

static void begin(enum monitor_kind kind)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		cr_assert_null(getenv("GNOMON_MUST_HAVE_KVM"), "no /dev/kvm");
		cr_skip("no usable /dev/kvm");
	}
	m = monitor_start(&(struct monitor_config){
	    .kind = kind, .memory = MEMORY, .levels = 2, .slots = SLOTS, .on_death = on_death});
	cr_assert(m);
}

/* A request of slot 0, of which `q` has what is not zero. */
static enum gnomon_enclave_status ask(enum monitor_op op, struct monitor_request q)
{
	q.op = op;
	q.id = q.id ? q.id : ID;
	*monitor_request(m, 0) = q;
	monitor_ready(m, 0);
	cr_assert_eq(monitor_call(m, 0, &reply), 0);
	return reply.status;
}

static void create_and_add(unsigned id)
{
	struct monitor_request page = {.id = id, .va = BASE, .rights = GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X};

	cr_assert_eq(ask(MONITOR_CREATE, (struct monitor_request){.id = id,
	                                                          .create = {.base = BASE,
	                                                                     .size = 2 * MONITOR_PAGE,
	                                                                     .entry = BASE,
	                                                                     .stack = BASE + 2 * MONITOR_PAGE,
	                                                                     .buffer = BUFFER,
	                                                                     .buffer_size = MONITOR_PAGE}}),
	             0);
	memcpy(monitor_content(m, 0), sample, MONITOR_PAGE);
	cr_assert_eq(ask(MONITOR_ADD, page), 0);
	memset(monitor_content(m, 0), 0, MONITOR_PAGE);
	page.va = BASE + MONITOR_PAGE;
	page.rights = GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W;
	cr_assert_eq(ask(MONITOR_ADD, page), 0);
	cr_assert_eq(ask(MONITOR_EXTEND, (struct monitor_request){.id = id, .va = BASE}), 0);
}

static void build(unsigned id)
{
	create_and_add(id);
	cr_assert_eq(ask(MONITOR_INIT, (struct monitor_request){.id = id}), 0);
}

static void enter(enum sample what, uint64_t with, uint64_t more)
{
	cr_assert_eq(ask(MONITOR_ENTER, (struct monitor_request){.va = BASE, .args = {what, with, more}}), 0);
}

static void audit(void)
{
	cr_assert_eq(ask(MONITOR_AUDIT, (struct monitor_request){0}), 0);
}

static void *kick_soon(void *arg)
{
	usleep(50000);
	monitor_kick(m, 0);
	return NULL;
}

static void lives(enum monitor_kind kind)
{
	uint64_t *buffer;
	pthread_t thread;

	begin(kind);
	build(ID);
	build(ID + 1);
	audit();
	cr_expect_eq(reply.enclaves, 2);
	cr_expect_eq(reply.pages, 4);
	enter(SAMPLE_SUM, 20, 22);
	cr_expect_eq(reply.left.value, 42);
	buffer = (uint64_t *)(void *)(monitor_buffers(m) + ID * GNOMON_ENCLAVE_BUFFER_MAX);
	*buffer = 8;
	enter(SAMPLE_COPY, 0, BUFFER);
	cr_expect_eq(*buffer, 9);
	*buffer = 0;
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(pthread_create(&thread, NULL, kick_soon, NULL), 0);
		if (i == 0)
			enter(SAMPLE_SPIN, 0x1234, BUFFER);
		else
			cr_assert_eq(ask(MONITOR_RESUME, (struct monitor_request){.ticket = reply.left.ticket}), 0);
		pthread_join(thread, NULL);
		cr_assert_eq(reply.left.reason, GNOMON_ENCLAVE_INTERRUPTED);
	}
	*buffer = 1;
	cr_assert_eq(ask(MONITOR_RESUME, (struct monitor_request){.ticket = reply.left.ticket}), 0);
	cr_expect_eq(reply.left.value, 0x1234);
	cr_assert_eq(ask(MONITOR_QUERY, (struct monitor_request){0}), 0);
	cr_expect_eq(reply.query.exits[GNOMON_ENCLAVE_INTERRUPTED], 5);
	cr_expect_eq(reply.query.exits[GNOMON_ENCLAVE_EXITED], 3);
	cr_assert_eq(ask(MONITOR_RESET, (struct monitor_request){0}), 0);
	audit();
	cr_expect_eq(reply.enclaves + reply.pages + reply.tables, 0);
	monitor_stop(m);
	cr_expect_eq(deaths, 0);
}

Test(monitor, process, .timeout = 60)
{
	lives(MONITOR_PROCESS);
}

Test(monitor, thread, .timeout = 60)
{
	lives(MONITOR_THREAD);
}

/* A query with an address has its walk: before each of stage 1's entries, and the data, two of the third stage. */
Test(monitor, tells_a_walk, .timeout = 60)
{
	const struct monitor_walk *w = &reply.walk;

	begin(MONITOR_PROCESS);
	build(ID);
	cr_assert_eq(ask(MONITOR_QUERY, (struct monitor_request){.va = BASE + MONITOR_PAGE + 8}), 0);
	cr_expect(w->nr == 14 && w->mapped);
	cr_expect_eq(w->step[13].entry, (uint64_t)ID << 52 | (BASE + MONITOR_PAGE) | 0xf);
	for (unsigned i = 0; i < w->nr; i++)
		cr_expect(w->step[i].third == (i % 3 < 2) && w->step[i].row == 4 - i / 3, "%u", i);
	cr_assert_eq(ask(MONITOR_QUERY, (struct monitor_request){.va = BUFFER}), 0);
	cr_expect(w->mapped && w->nr == 12 && reply.stage_bytes == 2 * MONITOR_PAGE, "the buffer is no secure memory");
	monitor_stop(m);
}

static struct monitor_walks walks(uint64_t reading, uint64_t cache, uint64_t levels)
{
	cr_assert_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {reading, cache, levels}}), 0);
	cr_expect_eq(reply.walks.pages, 2);
	return reply.walks;
}

/* Walks of an enclave of two pages, with a third stage of two levels; the count leaves nothing behind. */
Test(monitor, counts_walks, .timeout = 60)
{
	struct monitor_walks w;
	uint64_t bytes;

	begin(MONITOR_PROCESS);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){0}), GNOMON_ENCLAVE_ABSENT);
	build(ID);
	audit();
	bytes = reply.stage_bytes;
	w = walks(0, 0, 0);
	cr_expect(w.low == 14 && w.high == 14 && w.sum == 28 && w.walked == 8 && w.checks == 10);
	w = walks(0, 0, 4);
	cr_expect(w.low == 34 && w.high == 34 && w.walked == 48 && w.hits == 0, "%u", w.low);
	w = walks(1, 0, 4);
	cr_expect(w.low == 74 && w.high == 74 && w.checks == 50, "%u", w.low);
	w = walks(1, 64, 4);
	cr_expect(w.low == 24 && w.high == 24 && w.hits == 50, "%u", w.low);
	cr_assert_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {0, 0, 0, 1}}), 0);
	cr_expect_eq(reply.walks.pages, 1);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {2}}), GNOMON_ENCLAVE_BAD_FLAGS);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {0, 257}}), GNOMON_ENCLAVE_BAD_FLAGS);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {0, 0, 3}}), GNOMON_ENCLAVE_BAD_FLAGS);
	audit();
	cr_expect_eq(reply.stage_bytes, bytes);
	enter(SAMPLE_SUM, 20, 22);
	cr_expect_eq(reply.left.value, 42);
	monitor_stop(m);
}

/* The monitor does nothing else meanwhile: so much, and no more. */
Test(monitor, bounds_walks, .timeout = 60)
{
	struct monitor_request page = {.va = BASE, .rights = GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X};
	const uint64_t most = GNOMON_ENCLAVE_WALKS_MAX, size = (most + 1) * MONITOR_PAGE;

	begin(MONITOR_PROCESS);
	cr_assert_eq(
	    ask(MONITOR_CREATE,
	        (struct monitor_request){.create = {.base = BASE, .size = size, .entry = BASE, .stack = BASE + size}}),
	    0);
	cr_assert_eq(ask(MONITOR_ADD, page), 0);
	page.va = BASE + (most - 1) * MONITOR_PAGE;
	cr_assert_eq(ask(MONITOR_ADD, page), 0);
	cr_assert_eq(ask(MONITOR_INIT, (struct monitor_request){0}), 0);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){0}), GNOMON_ENCLAVE_BAD_COUNT);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {1, 256, 4, most + 1}}),
	             GNOMON_ENCLAVE_BAD_COUNT);
	cr_expect_eq(ask(MONITOR_WALKS, (struct monitor_request){.args = {1, 256, 4, most}}), 0);
	cr_expect_eq(reply.walks.pages, 2);
	audit();
	monitor_stop(m);
}

/*
 * The host has no descriptor for the enclave's VM: INIT says so, the log once, and the enclave can still be sealed later.
 */
Test(monitor, no_descriptors, .timeout = 60)
{
	struct rlimit limit, none;
	int free_fd, said[2], own;
	char text[512];
	ssize_t n;

	begin(MONITOR_THREAD);
	create_and_add(ID);
	cr_assert_eq(pipe2(said, O_NONBLOCK), 0);
	own = dup(2);
	dup2(said[1], 2);
	free_fd = open("/dev/null", O_RDONLY);
	close(free_fd);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){free_fd, limit.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(ask(MONITOR_INIT, (struct monitor_request){0}), GNOMON_ENCLAVE_NO_MEMORY);
	dup2(own, 2);
	n = read(said[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = 0;
	cr_expect_eq(strchr(text, '\n'), text + n - 1, "more than one line: %s", text);
	cr_expect_eq(ask(MONITOR_ENTER, (struct monitor_request){.va = BASE}), GNOMON_ENCLAVE_NOT_SEALED);
	audit();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(ask(MONITOR_INIT, (struct monitor_request){0}), 0);
	enter(SAMPLE_SUM, 20, 22);
	cr_expect_eq(reply.left.value, 42);
	monitor_stop(m);
}

/* A kick that comes before the run is not lost. */
Test(monitor, kicked_before_it_runs, .timeout = 60)
{
	begin(MONITOR_PROCESS);
	build(ID);
	*monitor_request(m, 0) =
	    (struct monitor_request){.op = MONITOR_ENTER, .id = ID, .va = BASE, .args = {SAMPLE_SUM, 1, 2}};
	monitor_ready(m, 0);
	monitor_kick(m, 0);
	cr_assert_eq(monitor_call(m, 0, &reply), 0);
	cr_assert_eq(reply.left.reason, GNOMON_ENCLAVE_INTERRUPTED);
	cr_assert_eq(ask(MONITOR_RESUME, (struct monitor_request){.ticket = reply.left.ticket}), 0);
	cr_expect_eq(reply.left.value, 3);
	monitor_stop(m);
}

/* Messages of random bytes, most of them near enough to a good one to be looked at. */
Test(monitor, hostile_messages, .timeout = 120)
{
	uint64_t x = 88172645463325252;

	begin(MONITOR_PROCESS);
	for (int i = 0; i < 20000; i++) {
		struct monitor_request *q = monitor_request(m, i % SLOTS);
		uint8_t *bytes = (uint8_t *)q;

		for (size_t n = 0; n < 160; n += 8) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			if (x % 3)
				memcpy(bytes + n, &x, 8);
		}
		q->op = x >> 8 & 7 ? (x >> 16) % MONITOR_NR_OPS : x >> 16;
		q->id = x >> 32 & 7 ? (x >> 40) % 4 : x >> 40;
		if (x >> 20 & 3) {
			q->va = BASE + (x >> 50 & 3) * MONITOR_PAGE;
			q->rights = x >> 52 & 7;
			q->create = (struct gnomon_enclave_create){
			    .base = BASE, .size = MONITOR_PAGE << (x >> 54 & 3), .entry = BASE, .stack = BASE + 4096};
		}
		monitor_ready(m, i % SLOTS);
		monitor_kick(m, i % SLOTS); /* what runs is left at once */
		cr_assert_eq(monitor_call(m, i % SLOTS, &reply), 0);
		cr_assert_lt(reply.status, GNOMON_ENCLAVE_NR_STATUS);
		if (i % 100 == 0)
			audit();
	}
	monitor_stop(m);
	cr_expect_eq(deaths, 0);
}

static atomic_bool settled;

static void *change_message(void *arg)
{
	struct monitor_slot *slot =
	    (struct monitor_slot *)((uint8_t *)monitor_content(m, 0) - offsetof(struct monitor_slot, content));

	for (uint32_t id = ID; !atomic_load(&settled); id ^= 1)
		*(volatile uint32_t *)&slot->request.id = id;
	return NULL;
}

/* ID alone is entered, or one that is none; whichever it is then runs. */
Test(monitor, message_changes, .timeout = 60)
{
	pthread_t thread;

	begin(MONITOR_PROCESS);
	build(ID);
	cr_assert_eq(pthread_create(&thread, NULL, change_message, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		const enum gnomon_enclave_status s =
		    ask(MONITOR_ENTER, (struct monitor_request){.va = BASE, .args = {SAMPLE_SUM, 1, 2}});

		cr_assert(s == GNOMON_ENCLAVE_OK || s == GNOMON_ENCLAVE_ABSENT, "%d", s);
		cr_assert(s || reply.left.value == 3);
	}
	atomic_store(&settled, true);
	pthread_join(thread, NULL);
	monitor_stop(m);
}

/* Killed at any moment: the call under way and the next come back, and somebody is told. */
Test(monitor, is_killed, .timeout = 60)
{
	for (int i = 0; i < 10; i++) {
		int r = 0;

		begin(MONITOR_PROCESS);
		build(ID);
		for (int n = 0; n < i * 50; n++)
			enter(SAMPLE_SUM, 1, 2);
		cr_assert_eq(kill(monitor_pid(), SIGKILL), 0);
		for (int n = 0; n < 1000 && r == 0; n++) {
			*monitor_request(m, 0) = (struct monitor_request){.op = MONITOR_QUERY, .id = ID};
			r = monitor_call(m, 0, &reply);
		}
		cr_assert_eq(r, -EPIPE);
		monitor_kick(m, 0);
		monitor_stop(m);
		cr_assert_eq(deaths, i + 1);
	}
}

/* The VMM is killed: the monitor goes, too. It is ours then: not every init looks soon. */
Test(monitor, goes_with_the_vmm, .timeout = 60)
{
	int fd[2], status;
	pid_t vmm, monitor = 0;

	cr_assert_eq(pipe(fd), 0);
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	vmm = fork();
	if (vmm == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		begin(MONITOR_PROCESS);
		monitor = monitor_pid();
		if (write(fd[1], &monitor, sizeof(monitor)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert_eq(read(fd[0], &monitor, sizeof(monitor)), (ssize_t)sizeof(monitor));
	cr_assert_eq(kill(monitor, 0), 0);
	kill(vmm, SIGKILL);
	waitpid(vmm, NULL, 0);
	cr_expect_eq(waitpid(monitor, &status, 0), monitor);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%#x", status);
}
