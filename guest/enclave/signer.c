/* SPDX-License-Identifier: MIT */
/*
 * The sample `signer`: an Ed25519 key pair (libsodium's) from the secret that only enclaves of its measurement get. The
 * kernel can have the public key and signatures.
 */
#include <sodium/crypto_sign.h>
#include <stdbool.h>

#include "inside.h"
#include "sodium_needs.h"
#include "samples.h"

static struct signer_buffer *const outside = (struct signer_buffer *)buffer;
static bool has_key;
static uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
static struct signer_buffer inside;

_Static_assert(sizeof(inside.public_key) == crypto_sign_PUBLICKEYBYTES &&
                   sizeof(inside.signature) == crypto_sign_BYTES && GNOMON_ENCLAVE_KEY_BYTES == crypto_sign_SEEDBYTES,
               "Ed25519");

static bool make_key(void)
{
	static uint8_t seed[GNOMON_ENCLAVE_KEY_BYTES]
	    __attribute__((aligned(GNOMON_ENCLAVE_KEY_BYTES))); /* in one page */

	if (!has_key && ask(GNOMON_ENCLAVE_KEY, seed) == GNOMON_ENCLAVE_OK) {
		has_key = crypto_sign_seed_keypair(public_key, secret_key, seed) == 0;
		sodium_memzero(seed, sizeof(seed));
	}
	return has_key;
}

static enum signer_result sign(uint64_t length)
{
	memcpy(inside.message, outside->message, length); /* once: the kernel may change it meanwhile */
	if (crypto_sign_detached(inside.signature, NULL, inside.message, length, secret_key) != 0)
		return SIGNER_NO_KEY;
	memcpy(outside->signature, inside.signature, sizeof(inside.signature));
	return SIGNER_OK;
}

static enum signer_result verify(uint64_t length)
{
	memcpy(&inside, outside, sizeof(inside));
	return crypto_sign_verify_detached(inside.signature, inside.message, length, inside.public_key) == 0
	           ? SIGNER_OK
	           : SIGNER_FORGED;
}

uint64_t enclave_main(uint64_t call, uint64_t length, uint64_t b, uint64_t c)
{
	if (!make_key())
		return SIGNER_NO_KEY;
	if (call != SIGNER_PUBLIC_KEY && length > SIGNER_MESSAGE_MAX)
		return SIGNER_TOO_LONG;
	switch (call) {
	case SIGNER_PUBLIC_KEY:
		memcpy(outside->public_key, public_key, sizeof(public_key));
		return SIGNER_OK;
	case SIGNER_SIGN:
		return sign(length);
	case SIGNER_VERIFY:
		return verify(length);
	default:
		return SIGNER_BAD_CALL;
	}
}
