/* SPDX-License-Identifier: MIT */
/* Temporary: no VM has secure memory yet, so nobody calls these. */
#include "platform/enclave.h"

#include <errno.h>
#include <stddef.h>

int platform_enclaves_look(struct platform_enclaves *e, void (*fn)(void *ctx, const struct enclave_summary *summary),
                           void *ctx)
{
	return -ENODEV;
}

const uint8_t *platform_enclaves_key(const struct platform_enclaves *e)
{
	return NULL;
}
