/* SPDX-License-Identifier: MIT */
/* Of one CPU there is no second. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(1, 0x40)
	EXIT 1
