/* SPDX-License-Identifier: MIT */
/* The byte written to the exit port is the status of the run. */
#include "guest.inc"

start:
	EXIT STATUS
