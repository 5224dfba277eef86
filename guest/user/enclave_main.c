/* SPDX-License-Identifier: MIT */
/*
 * enclave: runs the sample enclaves and says what they did. It needs `gnomon run --enclave-memory 4M`.
 *
 *   enclave             both, with all they can do and all that their kernel cannot
 *   enclave loop [N]    one that spins for N rounds, or for ever
 *   enclave churn [N]   makes and destroys both, N times on each CPU: no page may be lost
 *   enclave round       churn's part of another process
 */
#include "enclave_samples.h"

#define ROUNDS 10

bool enclave_fail(const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	format_list(line, sizeof(line), fmt, &args);
	va_end(args);
	print("enclave: %s\n", line);
	return false;
}

bool sample_open(struct enclave *e, const uint8_t *file, const uint8_t *file_end)
{
	const int64_t r = enclave_open(e, file, file_end - file);

	if (r == GNOMON_ENCLAVE_OFF)
		return enclave_fail("this machine has no memory for enclaves: gnomon run --enclave-memory 4M");
	if (r == -EINVAL)
		return enclave_fail("the sample cannot be one: %s", e->wrong);
	return r ? enclave_fail("the sample was not made: status %d of call %u", r, (uint64_t)e->request.call) : true;
}

bool sample_call(struct enclave *e, uint64_t call, uint64_t argument, uint64_t *ret_value)
{
	const int64_t r = enclave_call(e, (const uint64_t[GNOMON_ENCLAVE_ARGS]){call, argument}, ret_value);

	if (r == -EFAULT)
		return enclave_fail("call %u: exception %u in the enclave, at page 0x%x", call, e->request.left.value,
		                    e->request.left.address);
	return r ? enclave_fail("call %u: status %d", call, r) : true;
}

bool sample_close(struct enclave *e)
{
	const int64_t r = enclave_close(e);

	return r ? enclave_fail("DESTROY: status %d", r) : true;
}

const char *hex(char *to, const void *bytes, uint64_t n)
{
	const uint8_t *b = bytes;
	char *at = to;

	for (; n; n--, b++) {
		*at++ = "0123456789abcdef"[*b >> 4];
		*at++ = "0123456789abcdef"[*b & 15];
	}
	*at = 0;
	return to;
}

static bool both(void)
{
	return counter_try() && signer_try();
}

/* Every CPU has a process that makes both, and leaves another one to the kernel. */
static bool round_on_every_cpu(void)
{
	const int64_t n = cpus();
	bool well = true;

	for (int64_t i = 0; i < n; i++)
		if (spawn("enclave round", i) < 0)
			return enclave_fail("there is no memory for %d processes", n);
	for (int64_t i = 0; i < n; i++)
		if (wait() & 0xff)
			well = false;
	return well;
}

/* The first round makes page tables, and starts CPUs. */
static bool churn(const char *what, bool (*round)(void), uint64_t rounds)
{
	uint64_t before = 0;

	for (uint64_t i = 0; i <= rounds; i++) {
		if (!round())
			return false;
		if (i > 0 && free_pages() != before)
			return enclave_fail("%s: round %u left %u free pages instead of %u", what, i, free_pages(),
			                    before);
		before = free_pages();
	}
	print("enclave: %s: %u rounds, and as many free pages as before\n", what, rounds);
	return true;
}

int enclave_main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t n = same(what, "churn") ? ROUNDS : 0;

	if (argc == 1)
		return counter_show() && signer_show() ? 0 : 1;
	if (argc == 2 || (argc == 3 && parse_number(argv[2], &n))) {
		if (same(what, "loop"))
			return counter_loop(n) ? 0 : 1;
		if (same(what, "churn"))
			return churn("one process", both, n) && churn("a process on each CPU", round_on_every_cpu, n)
			           ? 0
			           : 1;
		if (same(what, "round"))
			return both() && counter_leave() ? 0 : 1;
	}
	print("usage: enclave [loop [ROUNDS] | churn [ROUNDS]]\n");
	return 2;
}
