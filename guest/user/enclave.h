/* SPDX-License-Identifier: MIT */
/* enclave.c: enclaves for programs. A file says at which addresses, so that a process has one of each file at most. */
#ifndef GUEST_USER_ENCLAVE_H
#define GUEST_USER_ENCLAVE_H

#include <gnomon/enclave_image.h>

#include "user.h"

struct enclave {
	struct gnomon_enclave_request request __attribute__((aligned(sizeof(struct gnomon_enclave_request))));
	struct gnomon_enclave_image image; /* points into the file */
	const char *wrong;                 /* what is, with the file */
	uint64_t pages;
	uint64_t transitions; /* ENTER and RESUME */
	uint64_t interrupts;
	/* Serves what the enclave calls out; its answer. NULL: 0 always. */
	uint64_t (*call_out)(void *ctx, uint64_t number, const uint64_t args[GNOMON_ENCLAVE_ARGS]);
	void *ctx;
};

/*
 * Makes the enclave of a file, which is 8-byte aligned. The caller sets call_out and ctx; all else is set here. Returns
 * an enum gnomon_enclave_status; -EINVAL: `wrong` says what; -ENOMEM. Unless it is 0 there is no enclave.
 */
int64_t enclave_open(struct enclave *e, const void *file, uint64_t size);

/* One call of the kernel's, with the rest of the request as it is. A status or -EFAULT. */
int64_t enclave_ask(struct enclave *e, enum gnomon_enclave_call call);

/*
 * From ENTER to EXIT. A status; -EFAULT: the enclave faulted, and request.left has the vector and the page. It can only
 * be closed then.
 */
int64_t enclave_call(struct enclave *e, const uint64_t args[GNOMON_ENCLAVE_ARGS], uint64_t *ret_value);

/* The memory that both see. */
static inline void *enclave_buffer(const struct enclave *e)
{
	return (void *)e->image.create.buffer;
}

/* DESTROY: a status. */
int64_t enclave_close(struct enclave *e);

#endif
