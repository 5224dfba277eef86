/* SPDX-License-Identifier: MIT */
/* What a sample enclave has: its entry, its calls (gnomon/enclave.h) and its marshalling buffer. */
#ifndef GUEST_ENCLAVE_INSIDE_H
#define GUEST_ENCLAVE_INSIDE_H

#include <gnomon/enclave.h>

/*
 * From enclave.ld. Everybody may write there at any time: what is used is copied first. Its address is a constant,
 * because one that the kernel passes in could lie in the enclave.
 */
extern uint8_t buffer[];

/* What ENTER calls with its arguments, and EXIT returns. */
uint64_t enclave_main(uint64_t call, uint64_t a, uint64_t b, uint64_t c);

/* GNOMON_ENCLAVE_REPORT, GNOMON_ENCLAVE_KEY. The status. */
static inline uint64_t ask(enum gnomon_enclave_call call, void *at)
{
	uint64_t status;

	__asm__ volatile("syscall" : "=a"(status) : "a"((uint64_t)call), "D"(at) : "rcx", "r11", "memory");
	return status;
}

/* The program's answer, which may be anything. */
static inline uint64_t call_out(uint64_t number, uint64_t argument)
{
	register uint64_t third __asm__("r8") = 0, fourth __asm__("r9") = 0;
	uint64_t answer;

	__asm__ volatile("syscall"
	                 : "=a"(answer)
	                 : "a"((uint64_t)GNOMON_ENCLAVE_CALL_OUT), "D"(number), "S"(argument), "d"(0ull), "r"(third),
	                   "r"(fourth)
	                 : "rcx", "r11", "memory");
	return answer;
}

#endif
