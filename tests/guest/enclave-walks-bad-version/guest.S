/* SPDX-License-Identifier: MIT */
/* A request of another version may mean anything. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_ENCLAVE_WALKS, $request
	EXIT 1

	.data
	.balign 128
request:
	.long 2, 1
	.skip 120
