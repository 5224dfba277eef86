/* SPDX-License-Identifier: MIT */
/* Without secure memory a request for an enclave's walks is answered with GNOMON_ENCLAVE_OFF, and no walk. */
#include "guest.inc"

#define OFF 24 /* enum gnomon_enclave_status */

start:
	OUT32 GNOMON_PORT_ENCLAVE_WALKS, $request
	cmpl $OFF, status
	CHECK e, 1
	cmpq $0, pages
	CHECK e, 2
	EXIT 0

	.data
	.balign 128
request:
	.long 1, 1, 0, 0, 0
status:	.long 0
pages:	.quad 0
	.skip 128 - 32
