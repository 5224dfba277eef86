/* SPDX-License-Identifier: MIT */
/* What `enclave` does with the sample `counter`: counts, has a report made, and tries to turn the count back. */
#include <gnomon/x86.h>

#include "enclave_samples.h"
#include "expect.h"

#define TARGET 3 /* what it counts to */

extern const uint8_t counter_file[], counter_file_end[];

static struct enclave counter;

static uint64_t count_call_out(void *ctx, uint64_t number, const uint64_t args[GNOMON_ENCLAVE_ARGS])
{
	uint64_t *const calls = ctx;

	if (number == COUNTER_ROUND_DONE && args[0] == *calls + 1)
		++*calls;
	return 1;
}

static bool expect_value(uint64_t call, uint64_t argument, uint64_t want)
{
	uint64_t value;

	if (!sample_call(&counter, call, argument, &value))
		return false;
	return value == want ? true : enclave_fail("the counter's call %u gave %u instead of %u", call, value, want);
}

static bool count_up(void)
{
	for (uint64_t n = 1; n <= TARGET; n++)
		if (!expect_value(COUNTER_INCREMENT, 0, n))
			return false;
	return expect_value(COUNTER_READ, 0, TARGET);
}

/* The report has what was asked for. Whether its signature is right is for the VMM's public key to say. */
static bool show_report(void)
{
	struct counter_buffer *const b = enclave_buffer(&counter);
	char text[2 * sizeof(b->report) + 1];
	uint64_t value;

	for (unsigned i = 0; i < sizeof(b->nonce); i++)
		b->nonce[i] = i;
	if (!expect_value(COUNTER_REPORT, 0, GNOMON_ENCLAVE_OK))
		return false;
	memcpy(&value, b->report.user_data, sizeof(value));
	for (unsigned i = 0; i < sizeof(b->nonce); i++)
		if (b->report.nonce[i] != i)
			return enclave_fail("the report has another nonce");
	if (value != TARGET || b->report.base != counter.image.create.base)
		return enclave_fail("the report is not the counter's");
	print("counter: measurement %s\n", hex(text, b->report.measurement, sizeof(b->report.measurement)));
	print("report: %s\n", hex(text, &b->report, sizeof(b->report)));
	return true;
}

static bool refused(const char *what, enum gnomon_enclave_call call, int64_t want)
{
	const uint32_t id = counter.request.id;
	const int64_t got = enclave_ask(&counter, call);

	counter.request.id = id;
	if (got != want)
		return enclave_fail("%s: status %d instead of %d", what, got, want);
	print("counter: refused: %s\n", what);
	return true;
}

/* Whoever touches the page outside of the enclave gets a page fault. */
static bool hidden(uint64_t page)
{
	struct fault f;

	catch_fault(do_read, page, &f);
	if (f.vector != VEC_PF || f.cr2 != page)
		return enclave_fail("the program can read the counter's page");
	if (touch(page, TOUCH_READ) != TOUCH_RESULT(VEC_PF, 0))
		return enclave_fail("the kernel can read the counter's page");
	print("counter: page fault: the program and the kernel read its page\n");
	return true;
}

/* All that a kernel could do to put the count back. `page` has it, `old` is what it was. */
static bool turn_back(uint64_t page, volatile uint64_t *old)
{
	struct gnomon_enclave_request *const q = &counter.request;
	uint64_t value;

	*old = 1;
	q->va = page;
	q->rights = GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W;
	q->gpa = (uint64_t)old;
	if (!refused("put an old page there", GNOMON_ENCLAVE_ADD, GNOMON_ENCLAVE_SEALED) ||
	    !refused("measure it again", GNOMON_ENCLAVE_EXTEND, GNOMON_ENCLAVE_SEALED) ||
	    !refused("seal it again", GNOMON_ENCLAVE_INIT, GNOMON_ENCLAVE_SEALED) ||
	    !refused("resume what has ended", GNOMON_ENCLAVE_RESUME, GNOMON_ENCLAVE_NOT_LEFT))
		return false;
	q->va = counter.image.create.entry + 1;
	if (!refused("enter elsewhere", GNOMON_ENCLAVE_ENTER, GNOMON_ENCLAVE_BAD_ENTRY) ||
	    !expect_value(COUNTER_READ, 0, TARGET))
		return false;
	print("counter: it still says %u\n", (uint64_t)TARGET);
	q->va = page;
	if (*old != 1 || enclave_ask(&counter, GNOMON_ENCLAVE_REMOVE) != GNOMON_ENCLAVE_OK)
		return enclave_fail("the counter's page cannot be removed");
	if (enclave_call(&counter, (const uint64_t[GNOMON_ENCLAVE_ARGS]){COUNTER_READ}, &value) != -EFAULT ||
	    q->left.value != VEC_PF || q->left.address != page)
		return enclave_fail("the counter runs without its page");
	print("counter: without that page it faults\n");
	q->va = page;
	return refused("put an old page there then", GNOMON_ENCLAVE_ADD, GNOMON_ENCLAVE_SEALED);
}

bool counter_show(void)
{
	const int64_t old = mmap(PAGE_BYTES, 0);
	uint64_t calls = 0, page;

	counter.call_out = count_call_out;
	counter.ctx = &calls;
	if (!sample_open(&counter, counter_file, counter_file_end))
		return false;
	page = counter.image.segment[counter.image.nr - 2].first; /* the last is the stack */
	print("counter: %u pages are sealed\n", counter.pages);
	if (!count_up() || !show_report())
		return false;
	print("counter: counted to %u\n", (uint64_t)TARGET);
	if (!expect_value(COUNTER_SPIN, 2, 2))
		return false;
	if (calls != 2)
		return enclave_fail("the counter called out %u times instead of 2", calls);
	print("counter: spun for 2 rounds and called out %u times\n", calls);
	if (!hidden(page) || !turn_back(page, (uint64_t *)old))
		return false;
	print("counter: %u transitions\n", counter.transitions);
	return sample_close(&counter);
}

/* munmap() leaves alone what an enclave has, and nobody but its process has its identifier. */
static bool is_kept(void)
{
	const struct gnomon_enclave_create *const c = &counter.image.create;
	const uint32_t id = counter.request.id;
	bool stranger = false;

	munmap((void *)c->base, c->size);
	munmap((void *)c->buffer, c->buffer_size);
	*(volatile uint8_t *)c->buffer = 1; /* else a page fault */
	for (counter.request.id = 1; counter.request.id <= GNOMON_ENCLAVE_MAX && !stranger; counter.request.id++)
		stranger =
		    counter.request.id != id && enclave_ask(&counter, GNOMON_ENCLAVE_DESTROY) != GNOMON_ENCLAVE_ABSENT;
	counter.request.id = id;
	return stranger ? enclave_fail("a process can destroy an enclave that is not its own") : true;
}

bool counter_try(void)
{
	return sample_open(&counter, counter_file, counter_file_end) && is_kept() && count_up() &&
	       sample_close(&counter);
}

bool counter_leave(void)
{
	return sample_open(&counter, counter_file, counter_file_end) && count_up();
}

bool counter_loop(uint64_t rounds)
{
	uint64_t calls = 0, done;

	counter.call_out = count_call_out;
	counter.ctx = &calls;
	if (!sample_open(&counter, counter_file, counter_file_end))
		return false;
	print("enclave: looping\n");
	if (!sample_call(&counter, COUNTER_SPIN, rounds, &done))
		return false;
	print("enclave: %u rounds, %u transitions, %u interrupts\n", done, counter.transitions, counter.interrupts);
	return calls == done && sample_close(&counter);
}
