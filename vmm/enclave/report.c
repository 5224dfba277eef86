/* SPDX-License-Identifier: MIT */
#include "enclave/report.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "enclave/internal.h"

_Static_assert(ENCLAVE_PUBLIC_KEY == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(ENCLAVE_SECRET_KEY == crypto_sign_SECRETKEYBYTES, "Ed25519");
_Static_assert(GNOMON_ENCLAVE_SIGNATURE == crypto_sign_BYTES, "Ed25519");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a report's numbers");

#define SIGNED offsetof(struct gnomon_enclave_report, signature)

void enclave_key_make(struct enclave_key *ret)
{
	BUG_ON(crypto_sign_keypair(ret->public, ret->secret) != 0);
}

void enclave_key_erase(struct enclave_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

enum gnomon_enclave_status enclave_report(const struct enclaves *all, unsigned id, const struct enclave_key *key,
                                          const uint8_t nonce[GNOMON_ENCLAVE_NONCE],
                                          const uint8_t user_data[GNOMON_ENCLAVE_USER_DATA],
                                          struct gnomon_enclave_report *ret)
{
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_REPORT, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	*ret = (struct gnomon_enclave_report){
	    .version = GNOMON_ENCLAVE_VERSION,
	    .base = e->create.base,
	    .size = e->create.size,
	    .flags = e->create.flags,
	};
	memcpy(ret->magic, GNOMON_ENCLAVE_REPORT_MAGIC, sizeof(ret->magic));
	memcpy(ret->measurement, e->measurement, sizeof(ret->measurement));
	memcpy(ret->nonce, nonce, sizeof(ret->nonce));
	memcpy(ret->user_data, user_data, sizeof(ret->user_data));
	BUG_ON(crypto_sign_detached(ret->signature, NULL, (const uint8_t *)ret, SIGNED, key->secret) != 0);
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_derive_key(const struct enclaves *all, unsigned id, const struct enclave_key *key,
                                              uint8_t ret[GNOMON_ENCLAVE_KEY_BYTES])
{
	static const uint8_t what[8] = "GNMNKEY";
	crypto_generichash_state h;
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_KEY, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	BUG_ON(crypto_generichash_init(&h, key->secret, crypto_generichash_KEYBYTES_MAX, GNOMON_ENCLAVE_KEY_BYTES) !=
	       0);
	BUG_ON(crypto_generichash_update(&h, what, sizeof(what)) != 0);
	BUG_ON(crypto_generichash_update(&h, e->measurement, sizeof(e->measurement)) != 0);
	BUG_ON(crypto_generichash_final(&h, ret, GNOMON_ENCLAVE_KEY_BYTES) != 0);
	sodium_memzero(&h, sizeof(h));
	return GNOMON_ENCLAVE_OK;
}

const char *enclave_report_refusal(const struct gnomon_enclave_report *report, size_t size,
                                   const struct enclave_expected *expected)
{
	if (size != sizeof(*report))
		return "it has not the size of a report";
	if (memcmp(report->magic, GNOMON_ENCLAVE_REPORT_MAGIC, sizeof(report->magic)) != 0)
		return "it is no report of an enclave";
	if (report->version != GNOMON_ENCLAVE_VERSION)
		return "it is of another version";
	if (crypto_sign_verify_detached(report->signature, (const uint8_t *)report, SIGNED, expected->public_key) != 0)
		return "it is not signed with this key";
	if (expected->measurement && sodium_memcmp(report->measurement, expected->measurement, ENCLAVE_HASH) != 0)
		return "it is of an enclave with another measurement";
	if (expected->nonce && sodium_memcmp(report->nonce, expected->nonce, sizeof(report->nonce)) != 0)
		return "it answers another nonce";
	return NULL;
}
