/* SPDX-License-Identifier: MIT */
/* More bytes than there is memory: an answer that would never come. They wrap around, too. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_WALKS, $request
	EXIT 1

	.data
	.balign 64
request:
	.long GNOMON_ABI_VERSION, 0
	.quad 0x1000, -0x1000, 0, 0, 0, 0
