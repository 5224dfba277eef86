/* SPDX-License-Identifier: MIT */
/* The boot CPU runs already. */
#include "guest.inc"

start:
	START_CPU request
	EXIT 1

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 0, start
