/* SPDX-License-Identifier: MIT */
/* A request that crosses a page could be half in one that is a table. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_WALKS, $request + 8
	EXIT 1

	.data
	.balign 64
request:
	.quad 0
	.long GNOMON_ABI_VERSION, 0
	.quad 0, 4096, 0, 0, 0, 0
