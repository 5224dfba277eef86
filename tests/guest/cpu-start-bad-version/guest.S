/* SPDX-License-Identifier: MIT */
/* A request of another version may mean anything. */
#include "guest.inc"

start:
	START_CPU request
	EXIT 1

CPU_START_REQUEST request, GNOMON_ABI_VERSION + 1, 1, start
