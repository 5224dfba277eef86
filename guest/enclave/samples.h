/* SPDX-License-Identifier: MIT */
/* The calls of the sample enclaves, and what lies in their buffers. Shared by them and the program `enclave`. */
#ifndef GUEST_ENCLAVE_SAMPLES_H
#define GUEST_ENCLAVE_SAMPLES_H

#include <gnomon/enclave.h>

/* counter: a number that only goes up */
enum counter_call {
	COUNTER_INCREMENT, /* the new value */
	COUNTER_READ,      /* the value */
	COUNTER_REPORT,    /* a status. Nonce and report are in the buffer. The user data begin with the value */
	COUNTER_SPIN,      /* so many rounds (0: for ever), or until a call out is answered by 0. How many it were */
};
#define COUNTER_ROUND_DONE 1 /* COUNTER_SPIN's call out; its argument is how many there were */
#define COUNTER_BAD_CALL   (~0ull)

struct counter_buffer {
	uint8_t nonce[GNOMON_ENCLAVE_NONCE];
	struct gnomon_enclave_report report;
};

/* signer: an Ed25519 key pair whose secret half never leaves it. Each call returns a signer_result */
enum signer_call {
	SIGNER_PUBLIC_KEY, /* into the buffer */
	SIGNER_SIGN,       /* the message, of so many bytes */
	SIGNER_VERIFY,     /* signature and message, of so many bytes, by the public key in the buffer */
};
enum signer_result { SIGNER_OK, SIGNER_NO_KEY, SIGNER_TOO_LONG, SIGNER_FORGED, SIGNER_BAD_CALL };
#define SIGNER_MESSAGE_MAX 1024

struct signer_buffer {
	uint8_t public_key[32];
	uint8_t signature[64];
	uint8_t message[SIGNER_MESSAGE_MAX];
};

#endif
