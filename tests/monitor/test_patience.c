/* SPDX-License-Identifier: MIT */
/*
 * A monitor that answers late, or wrongly; a KVM that does not run. What is protected here: a request waits for the answer to the slot's last one;
 * no answer is taken for that of another request; only questions and resets are given up while the run goes on, and two
 * seconds count from its end.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "kvm/refusal.h"
#include "monitor/monitor.h"

#define BASE 0x10000000ull
#define ID   3
#define OWN  1 /* the last slot */

#define STOPPED_S 4

static struct monitor *m;
static struct monitor_reply reply;
static atomic_bool ended;
static pid_t pid;

static bool has_ended(void *ctx)
{
	return atomic_load(&ended);
}

static void begin_with(int reset_ms)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		cr_assert_null(getenv("GNOMON_MUST_HAVE_KVM"), "no /dev/kvm");
		cr_skip("no usable /dev/kvm");
	}
	m = monitor_start(&(struct monitor_config){.kind = MONITOR_PROCESS,
	                                           .memory = 1 << 20,
	                                           .levels = 2,
	                                           .slots = OWN + 1,
	                                           .reset_ms = reset_ms,
	                                           .ended = has_ended});
	cr_assert(m);
	pid = monitor_pid();
}

static void begin(void)
{
	begin_with(0);
}

static void end(void)
{
	monitor_stop(m);
}

TestSuite(patience, .init = begin, .fini = end, .timeout = 60);

static int ask(int slot, struct monitor_request q)
{
	*monitor_request(m, slot) = q;
	return monitor_call(m, slot, &reply);
}

/* What the monitor sees. */
static struct monitor_slot *slot_of(int slot)
{
	return (struct monitor_slot *)((uint8_t *)monitor_content(m, slot) - offsetof(struct monitor_slot, content));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ID, not sealed. */
static void create(void)
{
	const struct gnomon_enclave_create c = {
	    .base = BASE, .size = MONITOR_PAGE, .entry = BASE, .stack = BASE + MONITOR_PAGE};

	cr_assert_eq(ask(0, (struct monitor_request){.op = MONITOR_CREATE, .id = ID, .create = c}), 0);
	cr_assert_eq(reply.status, 0);
}

/* All its threads. */
static void stop(void)
{
	siginfo_t info;

	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_assert_eq(waitid(P_PID, pid, &info, WSTOPPED), 0);
}

static void *look_and_go_on(void *arg)
{
	uint32_t *seen = arg;

	usleep(200000);
	*seen = slot_of(OWN)->request.op;
	kill(pid, SIGCONT);
	return NULL;
}

/* A question that was given up, and then a reset: the monitor gets one after the other, and the enclaves are gone. */
Test(patience, reset_after_a_question)
{
	pthread_t thread;
	uint32_t seen;

	create();
	stop();
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_QUERY, .id = ID}), -ETIMEDOUT);
	cr_assert_eq(pthread_create(&thread, NULL, look_and_go_on, &seen), 0);
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_RESET}), 0);
	cr_expect_eq(reply.enclaves, 1);
	pthread_join(thread, NULL);
	cr_expect_eq(seen, MONITOR_QUERY, "the reset was written over the question");
	cr_assert_eq(ask(OWN, (struct monitor_request){.op = MONITOR_QUERY, .id = ID}), 0);
	cr_expect_eq(reply.query.state, 0);
}

static void *give_the_turn_back(void *arg)
{
	struct monitor_slot *s = slot_of(OWN);

	while (atomic_load(&s->turn) != MONITOR_TURN_MONITOR)
		usleep(1000);
	if (arg)
		s->reply.sequence = s->request.sequence;
	atomic_store(&s->turn, MONITOR_TURN_VMM);
	return NULL;
}

/* The turn comes back, and with it the reply to an older request, or to one of another kind. */
Test(patience, another_requests_reply)
{
	pthread_t thread;

	create();
	for (int with_number = 0; with_number < 2; with_number++) {
		cr_assert_eq(ask(OWN, (struct monitor_request){.op = MONITOR_QUERY, .id = ID}), 0);
		stop();
		cr_assert_eq(pthread_create(&thread, NULL, give_the_turn_back, with_number ? m : NULL), 0);
		cr_expect_eq(
		    ask(OWN, (struct monitor_request){.op = with_number ? MONITOR_RESET : MONITOR_QUERY, .id = ID}),
		    -EIO);
		pthread_join(thread, NULL);
		kill(pid, SIGCONT);
		cr_assert_eq(usleep(20000), 0); /* the monitor does not look before it runs again */
	}
}

/* A reset takes its time, whichever slot it comes by. It is given up when the run has ended, two seconds later. */
Test(patience, counts_from_the_end)
{
	double from;
	pthread_t thread;
	uint32_t seen;

	create();
	stop();
	atomic_store(&ended, true);
	from = now();
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_RESET}), -ETIMEDOUT);
	cr_expect_geq(now() - from, 2);
	cr_assert_eq(pthread_create(&thread, NULL, look_and_go_on, &seen), 0);
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_AUDIT}), 0);
	cr_expect_eq(reply.enclaves, 0);
	pthread_join(thread, NULL);
}

/* A reset that has a limit is given up, though nothing has ended. Then it is done all the same, before anything else. */
Test(patience, reset_with_a_limit)
{
	double from;

	monitor_stop(m);
	begin_with(400);
	create();
	stop();
	from = now();
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_RESET}), -ETIMEDOUT);
	cr_expect_geq(now() - from, 0.4);
	kill(pid, SIGCONT);
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_AUDIT}), 0);
	cr_expect_eq(reply.enclaves, 0);
}

static void *stop_ourselves(void *monitor)
{
	usleep(200000); /* the call is under way, or about to begin */
	raise(SIGSTOP);
	usleep(100000);
	kill(*(pid_t *)monitor, SIGCONT);
	return NULL;
}

/* A reset by a process that is stopped meanwhile, as its monitor is. */
_Noreturn static void reset_and_stop(void)
{
	pthread_t thread;
	siginfo_t info;
	bool good;

	m = monitor_start(&(struct monitor_config){.kind = MONITOR_PROCESS,
	                                           .memory = 1 << 20,
	                                           .levels = 2,
	                                           .slots = OWN + 1,
	                                           .reset_ms = STOPPED_S * 1000 - 500});
	pid = m ? child_of(getpid()) : -1;
	good = m && kill(pid, SIGSTOP) == 0 && waitid(P_PID, pid, &info, WSTOPPED) == 0 &&
	       pthread_create(&thread, NULL, stop_ourselves, &pid) == 0 &&
	       ask(OWN, (struct monitor_request){.op = MONITOR_RESET}) == 0;
	monitor_stop(m);
	_exit(good ? 0 : 1);
}

/* As ^Z and fg do it. */
Test(patience, stopped_time_does_not_count)
{
	const pid_t child = fork();
	int status;

	if (child == 0)
		reset_and_stop();
	cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
	cr_assert(WIFSTOPPED(status));
	sleep(STOPPED_S);
	cr_assert_eq(kill(child, SIGCONT), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the reset was given up");
}

static void *end_late(void *arg)
{
	usleep(2300000);
	atomic_store(&ended, true);
	usleep(300000);
	kill(pid, SIGCONT);
	return NULL;
}

/* An old call has as long as a new one when the run ends. */
Test(patience, old_when_it_ends)
{
	pthread_t thread;

	create();
	stop();
	cr_assert_eq(pthread_create(&thread, NULL, end_late, NULL), 0);
	cr_expect_eq(ask(OWN, (struct monitor_request){.op = MONITOR_RESET}), 0);
	cr_expect_eq(reply.enclaves, 1);
	pthread_join(thread, NULL);
}

static atomic_int deaths;

static void on_death(void *ctx, int status)
{
	atomic_fetch_add(&deaths, 1);
}

/* The monitor says why it cannot begin. That it then ends is no news. */
Test(start, more_memory_than_there_is)
{
	for (enum monitor_kind kind = MONITOR_PROCESS; kind <= MONITOR_THREAD; kind++)
		cr_expect_null(monitor_start(&(struct monitor_config){
		    .kind = kind, .memory = 1ull << 60, .levels = 2, .slots = OWN + 1, .on_death = on_death}));
	cr_expect_eq(deaths, 0);
}

/* KVM_RUN's EAGAIN is believed for a tenth of a second. Any other end counts anew. */
Test(vcpu, is_refused_for_ever)
{
	unsigned refused = 0;

	for (int i = 0; i < 50; i++)
		cr_assert_not(kvm_is_refused_for_ever(&refused, EAGAIN));
	cr_assert_not(kvm_is_refused_for_ever(&refused, EINTR));
	for (int i = 0; i < 99; i++)
		cr_assert_not(kvm_is_refused_for_ever(&refused, EAGAIN));
	cr_expect(kvm_is_refused_for_ever(&refused, EAGAIN));
}
