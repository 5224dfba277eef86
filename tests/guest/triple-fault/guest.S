/* SPDX-License-Identifier: MIT */
/* An exception without an IDT. */
#include "guest.inc"

start:
	lidt empty_pointer
	ud2
	EXIT 1
