/* SPDX-License-Identifier: MIT */
/* A request of another version may mean anything. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_WALKS, $request
	EXIT 1

	.data
	.balign 64
request:
	.long GNOMON_ABI_VERSION + 1, 0
	.quad 0, 4096, 0, 0, 0, 0
