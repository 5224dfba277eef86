/* SPDX-License-Identifier: MIT */
/* The request must lie in memory from end to end: here its last byte does not (64 MiB). */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_CPU_START, $0x3ffffd9
	EXIT 1
