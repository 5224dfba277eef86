/* SPDX-License-Identifier: MIT */
/* A kernel that enters and resumes as it likes, and looks at what an enclave leaves behind. */
#include "attacks.h"
#include "lib.h"

#define ID 3

static const struct gnomon_enclave_left *left(int cpu)
{
	return &request[cpu].left;
}

static void entries(void)
{
	uint64_t ticket, old;

	expect("enter", enter(0, ID, SAMPLE_SUM, 20, 22), GNOMON_ENCLAVE_OK);
	expect("enter: value", left(0)->value, 42);
	expect("enter: reason", left(0)->reason, GNOMON_ENCLAVE_EXITED);
	expect("resume without an exit", resume(0, ID, left(0)->ticket, 0), GNOMON_ENCLAVE_NOT_LEFT);
	request[0].va = BASE + 3;
	expect("enter elsewhere", call(0, GNOMON_ENCLAVE_ENTER), GNOMON_ENCLAVE_BAD_ENTRY);
	request[0].va = BASE + PAGE;
	expect("enter in data", call(0, GNOMON_ENCLAVE_ENTER), GNOMON_ENCLAVE_BAD_ENTRY);
	expect("call out", enter(0, ID, SAMPLE_ASK, 7, 0), GNOMON_ENCLAVE_OK);
	expect("call out: reason", left(0)->reason, GNOMON_ENCLAVE_CALLED_OUT);
	expect("call out: number", left(0)->value, 5);
	expect("call out: argument", left(0)->args[0], 7);
	ticket = left(0)->ticket;
	expect("enter while it waits", enter(0, ID, SAMPLE_SUM, 1, 1), GNOMON_ENCLAVE_BUSY);
	expect("resume forged", resume(0, ID, ticket ^ 1, 0), GNOMON_ENCLAVE_BAD_TICKET);
	expect("resume with 0", resume(0, ID, 0, 0), GNOMON_ENCLAVE_BAD_TICKET);
	expect("resume", resume(0, ID, ticket, 0x234), GNOMON_ENCLAVE_OK);
	expect("resume: value", left(0)->value, 0x1234);
	expect("resume again", resume(0, ID, ticket, 0x234), GNOMON_ENCLAVE_NOT_LEFT);
	old = ticket;
	expect("call out again", enter(0, ID, SAMPLE_ASK, 7, 0), GNOMON_ENCLAVE_OK);
	ticket = left(0)->ticket;
	expect("resume stale", resume(0, ID, old, 0), GNOMON_ENCLAVE_BAD_TICKET);
	expect("resume foreign", resume(0, ID + 1, ticket, 0), GNOMON_ENCLAVE_NOT_LEFT);
	expect("other calls out", enter(0, ID + 1, SAMPLE_ASK, 7, 0), GNOMON_ENCLAVE_OK);
	expect("resume with another's", resume(0, ID, left(0)->ticket, 0), GNOMON_ENCLAVE_BAD_TICKET);
	expect("resume at last", resume(0, ID, ticket, 0), GNOMON_ENCLAVE_OK);
}

/* Of a fault the kernel learns the vector and the page. */
static void faults(void)
{
	expect("enclave reads its kernel", enter(0, ID, SAMPLE_PEEK, FRAME(0) + 0x123, 0), GNOMON_ENCLAVE_OK);
	expect("fault: reason", left(0)->reason, GNOMON_ENCLAVE_FAULTED);
	expect("fault: vector", left(0)->value, 14);
	expect("fault: page", left(0)->address, FRAME(0));
	expect("resume of a fault", resume(0, ID, left(0)->ticket, 0), GNOMON_ENCLAVE_OK);
	expect("fault again", left(0)->address, FRAME(0));
	expect("destroy after a fault", destroy(ID), GNOMON_ENCLAVE_OK);
	build_and_seal(ID, 0);
	expect("enclave writes its code", enter(0, ID, SAMPLE_POKE, BASE + 8, 0), GNOMON_ENCLAVE_OK);
	expect("fault: its code", left(0)->address, BASE);
	expect("destroy after another", destroy(ID), GNOMON_ENCLAVE_OK);
	build_and_seal(ID, 0);
	expect("enclave turns interrupts off", enter(0, ID, SAMPLE_PRIVILEGED, 0, 0), GNOMON_ENCLAVE_OK);
	expect("fault: protection", left(0)->value, 13);
	expect("fault: no address", left(0)->address, 0);
	expect("destroy after a third", destroy(ID), GNOMON_ENCLAVE_OK);
	build_and_seal(ID, 0);
}

/* The data page counts: what was is never again. */
static void rollback(void)
{
	expect("count", enter(0, ID, SAMPLE_COUNT, 0, 0), GNOMON_ENCLAVE_OK);
	expect("count: 0", left(0)->value, 0);
	expect("count on", enter(0, ID, SAMPLE_COUNT, 0, 0), GNOMON_ENCLAVE_OK);
	expect("count: 1", left(0)->value, 1);
	expect("a page in the place of another", add(ID, BASE + PAGE, RW, FRAME(20)), GNOMON_ENCLAVE_SEALED);
	expect("remove the count", remove_page(ID, BASE + PAGE), GNOMON_ENCLAVE_OK);
	expect("add an older one", add(ID, BASE + PAGE, RW, FRAME(20)), GNOMON_ENCLAVE_SEALED);
	expect("count without a page", enter(0, ID, SAMPLE_COUNT, 0, 0), GNOMON_ENCLAVE_OK);
	expect("fault: the count", left(0)->address, BASE + PAGE);
}

void attack_runs(void)
{
	build_and_seal(ID, 0);
	build_and_seal(ID + 1, 4);
	entries();
	faults();
	rollback();
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("enter after destroy", enter(0, ID, SAMPLE_SUM, 1, 1), GNOMON_ENCLAVE_ABSENT);
	expect("destroy the other", destroy(ID + 1), GNOMON_ENCLAVE_OK);
}

/* ---- two CPUs ---- */

static volatile uint32_t other_said = 99, go;

/* The state is looked at before the entry. */
static bool runs(int cpu)
{
	request[cpu].id = ID;
	request[cpu].va = 1;
	return call(cpu, GNOMON_ENCLAVE_ENTER) == GNOMON_ENCLAVE_BUSY;
}

static void intrude(void)
{
	while (!runs(1))
		;
	other_said = enter(1, ID, SAMPLE_SUM, 1, 2);
	request[1].id = ID;
	go = call(1, GNOMON_ENCLAVE_DESTROY) == GNOMON_ENCLAVE_BUSY;
	request[1].va = BASE + PAGE;
	go = go && call(1, GNOMON_ENCLAVE_REMOVE) == GNOMON_ENCLAVE_BUSY;
	out32(GNOMON_PORT_IPI, GNOMON_IPI(0, 32));
	while (!interrupts)
		;
	*(volatile uint64_t *)FRAME(2) = 1; /* the buffer: ends the loop */
	for (;;)
		__asm__ volatile("hlt");
}

/* A value in a vector register that the enclave uses, too. No KVM emulates these at CPL 0. */
static bool vectors;

static void set_vector(uint64_t v)
{
	if (!vectors)
		return;
	__asm__ volatile("mov %%cr4, %%rax\n\tor $0x200, %%rax\n\tmov %%rax, %%cr4" : : : "rax");
	__asm__ volatile("movq %0, %%xmm5" : : "r"(v));
}

static uint64_t get_vector(uint64_t otherwise)
{
	if (vectors)
		__asm__ volatile("movq %%xmm5, %0" : "=r"(otherwise));
	return otherwise;
}

/* The second CPU tries to get into an enclave that runs; an interrupt ends that run; nothing of it can be seen here. */
void attack_two_cpus(void)
{
	const uint64_t ours = 0x1111;
	uint64_t told = 0, seen = ours;

	build_and_seal(ID, 0);
	set_vector(ours);
	start_other(intrude);
	expect("enter", enter(0, ID, SAMPLE_SPIN, 0x5555, BUFFER), GNOMON_ENCLAVE_OK);
	while (left(0)->reason == GNOMON_ENCLAVE_INTERRUPTED) {
		if (get_vector(ours) != ours)
			seen = get_vector(ours);
		told |= left(0)->value | left(0)->address;
		for (int i = 0; i < GNOMON_ENCLAVE_ARGS; i++)
			told |= left(0)->args[i];
		take_interrupts();
		if (resume(0, ID, left(0)->ticket, 0) != GNOMON_ENCLAVE_OK)
			break;
	}
	expect("it was interrupted", interrupts >= 1, 1);
	expect("of an interrupt nothing is told", told, 0);
	expect("a register of ours, meanwhile", seen, ours);
	expect("its own register", left(0)->value, 0x5555);
	expect("a register of ours", get_vector(ours), ours);
	expect("enter twice at once", other_said, GNOMON_ENCLAVE_BUSY);
	expect("destroy and remove while it runs", go, 1);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
}

void attack_vectors(void)
{
	vectors = true;
	attack_two_cpus();
}

/* Until somebody outside ends it: stop, quit and ^C work meanwhile. */
void attack_loop(void)
{
	build_and_seal(ID, 0);
	if (wrong)
		end(5);
	say("looping\n");
	if (enter(0, ID, SAMPLE_SPIN, 1, BUFFER) != GNOMON_ENCLAVE_OK)
		end(3);
	while (left(0)->reason == GNOMON_ENCLAVE_INTERRUPTED)
		if (resume(0, ID, left(0)->ticket, 0) != GNOMON_ENCLAVE_OK)
			end(4);
}

/* An interrupt that waits at ENTER ends the run at once, though it came before. */
void attack_pending(void)
{
	build_and_seal(ID, 0);
	out32(GNOMON_PORT_IPI, GNOMON_IPI(0, 32));
	expect("enter", enter(0, ID, SAMPLE_SPIN, 1, BUFFER), GNOMON_ENCLAVE_OK);
	expect("it was interrupted", left(0)->reason, GNOMON_ENCLAVE_INTERRUPTED);
	while (!interrupts)
		take_interrupts();
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
}

/* Until somebody outside ends it, without a call. */
void attack_idle(void)
{
	build_and_seal(ID, 0);
	say("idle\n");
	for (;;)
		out32(GNOMON_PORT_NOP, 0);
}
