/* SPDX-License-Identifier: MIT */
/* What the other CPU changes while a call is served. Of a request counts what was read once. */
#include "attacks.h"
#include "lib.h"

#define ID     3
#define ROUNDS 300

static volatile bool stop;

/* Between an address inside the enclave and one outside it, a page that is the guest's and one that is none. */
static void change(void)
{
	volatile struct gnomon_enclave_request *q = &request[0];

	while (!stop) {
		q->va = BASE - PAGE;
		q->gpa = 0x8000000000;
		q->va = BASE + 2 * PAGE;
		q->gpa = FRAME(30);
	}
	for (;;)
		__asm__ volatile("hlt");
}

void attack_fetch(void)
{
	unsigned right = 0, odd = 0;

	build(ID, 0);
	start_other(change);
	for (int i = 0; i < ROUNDS; i++) {
		const enum gnomon_enclave_status s = add(ID, BASE + 2 * PAGE, RW, FRAME(30));

		right += s == GNOMON_ENCLAVE_OK;
		odd += s != GNOMON_ENCLAVE_OK && s != GNOMON_ENCLAVE_BAD_ADDRESS && s != GNOMON_ENCLAVE_BAD_PAGE;
		if (s != GNOMON_ENCLAVE_OK)
			continue;
		do /* it changes this one, too */
			request[0].id = ID;
		while (remove_page(ID, BASE + 2 * PAGE) == GNOMON_ENCLAVE_BAD_ADDRESS);
		if (!is_filled(FRAME(30), 0))
			odd++;
	}
	stop = true;
	expect("some came through", right > 0, true);
	expect("nothing else", odd, 0);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
}

/* ---- INIT in the midst of ADD ---- */

static volatile unsigned delay, turn;

static void seal(void)
{
	for (;;) {
		while (!turn)
			__asm__ volatile("pause");
		for (unsigned i = 0; i < delay; i++)
			__asm__ volatile("pause");
		request[1].id = ID;
		request[1].flags = 0;
		(void)call(1, GNOMON_ENCLAVE_INIT);
		turn = 0;
	}
}

/* A page that comes too late is what it was. */
void attack_seal(void)
{
	unsigned late = 0, odd = 0;

	start_other(seal);
	for (unsigned i = 0; i < ROUNDS / 2; i++) {
		enum gnomon_enclave_status s;

		build(ID, 0);
		fill(FRAME(30), 0x66);
		delay = i * 8;
		turn = 1;
		s = add(ID, BASE + 2 * PAGE, RW, FRAME(30));
		while (turn)
			__asm__ volatile("pause");
		late += s == GNOMON_ENCLAVE_SEALED;
		odd += s == GNOMON_ENCLAVE_SEALED ? !is_filled(FRAME(30), 0x66) : s != GNOMON_ENCLAVE_OK;
		destroy(ID);
	}
	expect("some came late", late > 0, true);
	expect("and are as they were", odd, 0);
}
