/* SPDX-License-Identifier: MIT */
/* A kernel that calls at random, by one CPU and by two; and one that makes as many enclaves as there can be. */
#include "attacks.h"
#include "lib.h"

/* What comes in the place of most calls that undo: else hardly anything is ever sealed, and nothing entered. */
static const uint8_t instead[] = {GNOMON_ENCLAVE_INIT, GNOMON_ENCLAVE_ADD, GNOMON_ENCLAVE_ENTER, GNOMON_ENCLAVE_RESUME};

/* One with random arguments, most of them near enough to good ones. Memory that is given is not looked at. */
static enum gnomon_enclave_status random_call(int cpu, uint64_t x)
{
	struct gnomon_enclave_request *q = &request[cpu];
	unsigned what = (x >> 32) % (GNOMON_ENCLAVE_DESTROY + 2);

	if (what >= GNOMON_ENCLAVE_REMOVE && what <= GNOMON_ENCLAVE_DESTROY && x >> 51 & 15)
		what = instead[x >> 51 & 3];
	q->id = 1 + (x & 3) * (x >> 60 ? 1 : 1000);
	q->va = BASE + (x >> 2 & 7) * PAGE + (x >> 59 ? 0 : x);
	if (x >> 47 & 3 && (what == GNOMON_ENCLAVE_ENTER || x >> 5 & 1))
		q->va = BASE;
	q->rights = x >> 49 & 3 ? (q->va == BASE ? RX : RW) : x >> 5 & 7;
	q->gpa = FRAME(x >> 8 & 63) + (x >> 58 ? 0 : x);
	q->ticket = x >> 20 & 1 ? q->left.ticket : x;
	q->flags = x >> 61 ? 0 : x;
	q->args[0] = what != GNOMON_ENCLAVE_ADD ? SAMPLE_SUM : x >> 56 ? x >> 40 & 3 : x;
	q->create = (struct gnomon_enclave_create){BASE,           ((x >> 14 & 7) + 1) * PAGE, BASE,
	                                           BASE + PAGE,    x >> 17 & 1 ? BUFFER : 0,   x >> 17 & 1 ? PAGE : 0,
	                                           x >> 57 ? 0 : x};
	return call(cpu, what);
}

/* How many were right. */
static unsigned random_calls(int cpu, uint64_t x, int n)
{
	unsigned ok = 0;

	while (n--) {
		enum gnomon_enclave_status s;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		s = random_call(cpu, x);
		ok += s == GNOMON_ENCLAVE_OK;
		if (s >= GNOMON_ENCLAVE_NR_STATUS)
			end(3);
	}
	return ok;
}

/* All of it is ours again. */
static void destroy_all(void)
{
	for (unsigned id = 1; id <= 4; id++)
		destroy(id);
	for (unsigned n = 0; n < 64; n++) {
		fill(FRAME(n), n);
		if (!is_filled(FRAME(n), n))
			end(4);
	}
}

void attack_random(void)
{
	expect("some were right", random_calls(0, 88172645463325252, 20000) > 500, true);
	destroy_all();
}

static volatile bool other_done;

static void random_beside(void)
{
	random_calls(1, 1181783497276652981, 8000);
	other_done = true;
	for (;;)
		__asm__ volatile("hlt");
}

/* The same enclaves and the same memory, by two CPUs. */
void attack_random_two(void)
{
	start_other(random_beside);
	expect("some were right", random_calls(0, 88172645463325252, 8000) > 200, true);
	while (!other_done)
		out32(GNOMON_PORT_NOP, 0);
	destroy_all();
}

/* As many as there can be, at once. */
void attack_many(void)
{
	uint64_t sum = 0;

	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		build_and_seal(id, 4 * id);
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++) {
		if (enter(0, id, SAMPLE_ASK, id, 0) == GNOMON_ENCLAVE_OK)
			sum += request[0].left.args[0];
	}
	expect("each called out", sum, GNOMON_ENCLAVE_MAX * (GNOMON_ENCLAVE_MAX + 1) / 2);
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		if (destroy(id) != GNOMON_ENCLAVE_OK || !is_filled(FRAME(4 * id), 0))
			end(3);
}
