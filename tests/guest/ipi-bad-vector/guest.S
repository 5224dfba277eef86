/* SPDX-License-Identifier: MIT */
/* Vectors below 32 are exceptions. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(0, 31)
	EXIT 1
