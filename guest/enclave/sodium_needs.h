/* SPDX-License-Identifier: MIT */
/* What libsodium's objects want of a C library and of libsodium's utils.o, which wants a whole system. */
#ifndef GUEST_ENCLAVE_SODIUM_NEEDS_H
#define GUEST_ENCLAVE_SODIUM_NEEDS_H

#include <stddef.h>

void *memset(void *to, int byte, size_t len);
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void sodium_memzero(void *const at, const size_t len);
int sodium_memcmp(const void *const a, const void *const b, size_t len);
int sodium_is_zero(const unsigned char *at, const size_t len);

/* Never reached: they end the enclave. */
_Noreturn void abort(void);
_Noreturn void __stack_chk_fail(void);
void randombytes_buf(void *const at, const size_t len);

#endif
