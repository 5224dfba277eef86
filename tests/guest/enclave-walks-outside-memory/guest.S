/* SPDX-License-Identifier: MIT */
/* A request has to be somewhere. */
#include "guest.inc"

start:
	OUT32 GNOMON_PORT_ENCLAVE_WALKS, $0x80000000
	EXIT 1
