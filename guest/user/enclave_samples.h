/* SPDX-License-Identifier: MIT */
/* The parts of the program `enclave`. What is not as it must be is printed where it is found, and false goes up. */
#ifndef GUEST_USER_ENCLAVE_SAMPLES_H
#define GUEST_USER_ENCLAVE_SAMPLES_H

#include "enclave.h"
#include "enclave/samples.h"

/* enclave_samples.c */
bool enclave_fail(const char *format, ...);
/* enclave_open() and enclave_call(), for which all must go well. */
bool sample_open(struct enclave *e, const uint8_t *file, const uint8_t *file_end);
bool sample_call(struct enclave *e, uint64_t call, uint64_t argument, uint64_t *ret_value);
bool sample_close(struct enclave *e);
/* Two digits for each byte, and a NUL. Returns `to`. */
const char *hex(char *to, const void *bytes, uint64_t n);

/* enclave_counter.c, enclave_signer.c: what the sample can do, said in detail; or in short, without a word. */
bool counter_show(void);
bool counter_try(void);
bool counter_leave(void);           /* and leaves it to the kernel */
bool counter_loop(uint64_t rounds); /* 0: for ever */
bool signer_show(void);
bool signer_try(void);

/* enclave_random.c: `n` random calls. */
bool enclave_random(uint64_t n);

#endif
