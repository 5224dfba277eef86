/* SPDX-License-Identifier: MIT */
/* Nothing can wake this machine again. */
#include "guest.inc"

start:
	cli
	hlt
	EXIT 1
