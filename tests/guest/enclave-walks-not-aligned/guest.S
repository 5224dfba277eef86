/* SPDX-License-Identifier: MIT */
/* A request that crosses a page could be half in one that is a table. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_ENCLAVE_WALKS, $request + 64
	EXIT 1

	.data
	.balign 128
request:
	.skip 64
	.long 1, 1
	.skip 120
