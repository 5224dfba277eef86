/* SPDX-License-Identifier: MIT */
/* The sample `counter`: a number that only goes up, and a signed report of it. Its kernel can stop it or destroy it. */
#include "inside.h"
#include "mem.h"
#include "samples.h"

#define ROUND 50000000 /* steps of COUNTER_SPIN between two calls out */

static uint64_t count;
static struct gnomon_enclave_ask question __attribute__((aligned(512))); /* in one page */

static uint64_t report(void)
{
	struct counter_buffer *const outside = (struct counter_buffer *)buffer;
	uint64_t status;

	memcpy(question.nonce, outside->nonce, sizeof(question.nonce));
	memcpy(question.user_data, &count, sizeof(count));
	status = ask(GNOMON_ENCLAVE_REPORT, &question);
	if (status == GNOMON_ENCLAVE_OK)
		memcpy(&outside->report, &question.report, sizeof(question.report));
	return status;
}

static uint64_t spin(uint64_t rounds)
{
	uint64_t done = 0;

	do {
		for (uint64_t i = ROUND; i; i--)
			__asm__ volatile("" : "+r"(i));
		done++;
	} while (call_out(COUNTER_ROUND_DONE, done) && done != rounds);
	return done;
}

uint64_t enclave_main(uint64_t call, uint64_t a, uint64_t b, uint64_t c)
{
	switch (call) {
	case COUNTER_INCREMENT:
		return ++count;
	case COUNTER_READ:
		return count;
	case COUNTER_REPORT:
		return report();
	case COUNTER_SPIN:
		return spin(a);
	default:
		return COUNTER_BAD_CALL;
	}
}
