/* SPDX-License-Identifier: MIT */
/* Of two CPUs there is no third. */
#include "guest.inc"

start:
	START_CPU request
	EXIT 1

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 2, start
