/* SPDX-License-Identifier: MIT */
/* What the samples' parts of the program have in common: calls for which all must go well. */
#include "enclave_samples.h"

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
