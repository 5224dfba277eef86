/* SPDX-License-Identifier: MIT */
/* A kernel that reaches for what it gave away. It is killed for it: test_attacks.c knows the words. */
#include <gnomon/x86.h>

#include "attacks.h"
#include "lib.h"

#define ID       3
#define PRESENT  (PTE_P | PTE_W)
#define HAMMERED 2500000 /* laps of four accesses: 10^7 */

void attack_read(void)
{
	build_and_seal(ID, 0);
	say_number(*(volatile uint64_t *)FRAME(0));
}

void attack_write(void)
{
	build_and_seal(ID, 0);
	*(volatile uint64_t *)FRAME(1) = 1;
}

void attack_execute(void)
{
	build_and_seal(ID, 0);
	((void (*)(void))FRAME(0))();
}

static uint64_t *root(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	return (uint64_t *)(cr3 & PTE_ADDR);
}

void map_alias(uint64_t gpa)
{
	for (int i = 0; i < 3; i++)
		fill(FRAME(40 + i), 0);
	*(volatile uint64_t *)FRAME(42) = gpa | PRESENT;
	*(volatile uint64_t *)FRAME(41) = FRAME(42) | PRESENT;
	*(volatile uint64_t *)FRAME(40) = FRAME(41) | PRESENT;
	root()[1] = FRAME(40) | PRESENT;
}

/* By another address, which no TLB knows. */
void attack_remap(void)
{
	build_and_seal(ID, 0);
	map_alias(FRAME(0));
	say_number(*(volatile uint64_t *)ALIAS);
}

/* A live table becomes an enclave's page: the walk ends there. */
void attack_table(void)
{
	uint64_t cr3;

	map_alias(FRAME(50));
	fill(FRAME(50), 1);
	*(volatile uint64_t *)ALIAS = 2;
	build(ID, 0);
	expect("a live table", add(ID, BASE + 2 * PAGE, RW, FRAME(42)), GNOMON_ENCLAVE_OK);
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
	say_number(*(volatile uint64_t *)ALIAS);
}

/* The request itself lies in a page that was given away. */
void attack_request(void)
{
	build_and_seal(ID, 0);
	out32(GNOMON_PORT_ENCLAVE, (uint32_t)FRAME(0));
}

/* It would cross a page. */
void attack_misaligned(void)
{
	out32(GNOMON_PORT_ENCLAVE, (uint32_t)(FRAME(1) - 128));
}

/* The same of requests for walks. Memory that nobody used names version 0. */
void attack_misaligned_walks(void)
{
	*(volatile uint32_t *)(FRAME(1) - 64) = GNOMON_ENCLAVE_VERSION;
	out32(GNOMON_PORT_ENCLAVE_WALKS, (uint32_t)(FRAME(1) - 64));
}

void attack_version_walks(void)
{
	out32(GNOMON_PORT_ENCLAVE_WALKS, (uint32_t)FRAME(1));
}

void attack_version(void)
{
	request[0].version = GNOMON_ENCLAVE_VERSION + 1;
	out32(GNOMON_PORT_ENCLAVE, (uint32_t)(uint64_t)&request[0]);
}

/* A device is told to write there: another CPU's first state, then a description of a queue. */
void attack_queue(void)
{
	build_and_seal(ID, 0);
	out32(GNOMON_PORT_CPU_START, (uint32_t)FRAME(1));
}

/* ---- a stale TLB entry on another CPU ---- */

static volatile uint64_t laps;

static void hammer(void)
{
	for (;;) {
		for (unsigned n = 0; n < 4; n++) /* two that go, and two neighbours */
			(void)*(volatile uint64_t *)FRAME(n);
		laps++;
	}
}

/* As many as fit into a second or two, where KVM emulates each instruction. */
static void await_laps(void)
{
	const uint64_t until = laps + HAMMERED, end = __builtin_ia32_rdtsc() + 4000000000;

	while (laps < until && __builtin_ia32_rdtsc() < end)
		__asm__ volatile("pause");
	say_number(laps);
}

/*
 * The other CPU reads all the time, from TLB entries of the 2 MiB page. It must be out of the page when ADD has come back,
 * so the guest is killed. The buffer, which leaves the guest for a moment too, lies elsewhere and was there before.
 */
void attack_hammer(void)
{
	expect("create", create(ID, FRAME(514)), GNOMON_ENCLAVE_OK);
	start_other(hammer);
	await_laps();
	expect("add", add_pages(ID, BASE, RW, FRAME(0), 2, 0), GNOMON_ENCLAVE_OK);
	await_laps();
}
