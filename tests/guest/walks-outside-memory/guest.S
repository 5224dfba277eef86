/* SPDX-License-Identifier: MIT */
/* The request must lie in memory: 64 MiB end there. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_WALKS, $0x4000000
	EXIT 1

