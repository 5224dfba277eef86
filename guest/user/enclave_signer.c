/* SPDX-License-Identifier: MIT */
/* What `enclave` does with the sample `signer`: signs a message, has good and bad signatures verified. */
#include "enclave_samples.h"

extern const uint8_t signer_file[], signer_file_end[];

static struct enclave signer;
static const char message[] = "what an enclave signs, its kernel cannot";

static bool expect_result(enum signer_call call, uint64_t length, enum signer_result want)
{
	uint64_t result;

	if (!sample_call(&signer, call, length, &result))
		return false;
	return result == want
	           ? true
	           : enclave_fail("the signer's call %u gave %u instead of %u", (uint64_t)call, result, (uint64_t)want);
}

/* Has the message signed, with a good signature and nothing forged. */
static bool sign(void)
{
	struct signer_buffer *const b = enclave_buffer(&signer);

	memcpy(b->message, message, sizeof(message));
	if (!expect_result(SIGNER_PUBLIC_KEY, 0, SIGNER_OK) ||
	    !expect_result(SIGNER_SIGN, sizeof(message), SIGNER_OK) ||
	    !expect_result(SIGNER_VERIFY, sizeof(message), SIGNER_OK))
		return false;
	b->message[0] ^= 1;
	return expect_result(SIGNER_VERIFY, sizeof(message), SIGNER_FORGED);
}

bool signer_show(void)
{
	const struct signer_buffer *b;
	uint8_t key[sizeof(b->public_key)];
	char text[2 * sizeof(b->signature) + 1];

	if (!sample_open(&signer, signer_file, signer_file_end) || !sign())
		return false;
	b = enclave_buffer(&signer);
	memcpy(key, b->public_key, sizeof(key));
	print("signer: %u pages are sealed\n", signer.pages);
	print("signer: public key %s\n", hex(text, key, sizeof(key)));
	print("signer: signature %s of '%s'\n", hex(text, b->signature, sizeof(b->signature)), message);
	print("signer: verified it, and refused it for another message\n");
	if (!expect_result(SIGNER_SIGN, SIGNER_MESSAGE_MAX + 1, SIGNER_TOO_LONG))
		return false;
	print("signer: refused a message that is too long\n");
	print("signer: %u transitions\n", signer.transitions);
	if (!sample_close(&signer) || !sample_open(&signer, signer_file, signer_file_end) ||
	    !expect_result(SIGNER_PUBLIC_KEY, 0, SIGNER_OK))
		return false;
	for (unsigned i = 0; i < sizeof(key); i++)
		if (b->public_key[i] != key[i])
			return enclave_fail("the signer has another key than before");
	print("signer: made anew, it has the same key\n");
	return sample_close(&signer);
}

bool signer_try(void)
{
	return sample_open(&signer, signer_file, signer_file_end) && sign() && sample_close(&signer);
}
