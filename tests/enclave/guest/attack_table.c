/* SPDX-License-Identifier: MIT */
/* A kernel that has its live tables changed for it: by a buffer that takes their place or goes, and by an answer. */
#include <gnomon/x86.h>

#include "attacks.h"
#include "lib.h"

#define ID      3
#define PRESENT (PTE_P | PTE_W)

static void reload_cr3(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

static uint64_t at_alias(unsigned page)
{
	return *(volatile uint64_t *)(ALIAS + page * PAGE);
}

/* The last table becomes a buffer, which is zero. The guest has no handler for the fault. */
void attack_share_table(void)
{
	map_alias(FRAME(50));
	fill(FRAME(50), 1);
	expect("before", at_alias(0), 0x0101010101010101);
	expect("create", create(ID, FRAME(42)), GNOMON_ENCLAVE_OK);
	reload_cr3();
	say_number(at_alias(0));
}

/* It lies in a buffer, which goes. */
void attack_unshare_table(void)
{
	expect("create", create(ID, FRAME(42)), GNOMON_ENCLAVE_OK);
	map_alias(FRAME(50));
	fill(FRAME(50), 1);
	expect("before", at_alias(0), 0x0101010101010101);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	reload_cr3();
	say_number(at_alias(0));
}

/* The request lies in the last table. What the enclave says becomes the entry of a page. */
void attack_answer_in_table(void)
{
	struct gnomon_enclave_request *q = (struct gnomon_enclave_request *)(FRAME(42) + sizeof(*q));
	const unsigned page = (unsigned)(((uint64_t)&q->left.args[0] - FRAME(42)) / 8);

	build_and_seal(ID, 0);
	map_alias(FRAME(50));
	fill(FRAME(50), 1);
	fill(FRAME(51), 2);
	q->version = GNOMON_ENCLAVE_VERSION;
	q->call = GNOMON_ENCLAVE_ENTER;
	q->id = ID;
	q->va = BASE;
	q->args[0] = SAMPLE_ASK;
	q->args[1] = FRAME(51) | PRESENT;
	q->left.args[0] = FRAME(50) | PRESENT;
	reload_cr3();
	expect("before", at_alias(page), 0x0101010101010101);
	out32(GNOMON_PORT_ENCLAVE, (uint32_t)(uint64_t)q);
	expect("enter", *(volatile uint32_t *)&q->status, GNOMON_ENCLAVE_OK);
	expect("the entry", q->left.args[0] & PTE_ADDR, FRAME(51));
	reload_cr3();
	expect("the page", at_alias(page), 0x0202020202020202);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
}
