/* SPDX-License-Identifier: MIT */
/*
 * Reports: what a running enclave can prove to somebody who has the monitor's public key. A report says which enclave
 * asked (measurement, base, size, flags), repeats a nonce against replay, and carries 64 bytes of the enclave's own. It
 * is signed with Ed25519 (RFC 8032) by a key that the monitor alone has.
 */
#ifndef GNOMON_ENCLAVE_REPORT_H
#define GNOMON_ENCLAVE_REPORT_H

#include "enclave/enclave.h"

#define ENCLAVE_PUBLIC_KEY 32
#define ENCLAVE_SECRET_KEY 64

struct enclave_key {
	uint8_t public[ENCLAVE_PUBLIC_KEY];
	uint8_t secret[ENCLAVE_SECRET_KEY];
};

/* A new key. enclave_key_erase() ends it. */
void enclave_key_make(struct enclave_key *ret_key);
void enclave_key_erase(struct enclave_key *key);

/* Only a running enclave gets one. NOT_RUNNING, BAD_ID. */
enum gnomon_enclave_status enclave_report(const struct enclaves *all, unsigned id, const struct enclave_key *key,
                                          const uint8_t nonce[GNOMON_ENCLAVE_NONCE],
                                          const uint8_t user_data[GNOMON_ENCLAVE_USER_DATA],
                                          struct gnomon_enclave_report *ret_report);

/*
 * A secret of the running enclave's own: keyed BLAKE2b of its measurement, under the monitor's secret. Another enclave of
 * this measurement gets the same, none of another does. NOT_RUNNING, BAD_ID.
 */
enum gnomon_enclave_status enclave_derive_key(const struct enclaves *all, unsigned id, const struct enclave_key *key,
                                              uint8_t ret_key[GNOMON_ENCLAVE_KEY_BYTES]);

/* What a report must be. NULL: it may be anything. */
struct enclave_expected {
	const uint8_t *public_key; /* always */
	const uint8_t *measurement;
	const uint8_t *nonce;
};

/* NULL: the report is genuine and as expected. Or a sentence about what is wrong; `size` is what was read of it. */
const char *enclave_report_refusal(const struct gnomon_enclave_report *report, size_t size,
                                   const struct enclave_expected *expected);

#endif
