/* SPDX-License-Identifier: MIT */
/* A kernel without programs that asks for enclaves: requests, a sample enclave, a second CPU, words on the console. */
#ifndef TESTS_ENCLAVE_LIB_H
#define TESTS_ENCLAVE_LIB_H

#include <gnomon/abi.h>
#include <gnomon/enclave.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../monitor/sample.h"

#define PAGE   0x1000ull
#define BASE   0x10000000ull /* of the sample enclave: code, data, two absent pages */
#define PAGES  4
#define BUFFER 0x20000000ull
#define RX     (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)
#define RW     (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)

/* Frame n of the memory that nothing else uses; the tests know this address. */
#define FRAME(n) (0x1000000ull + (n)*PAGE)

static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "d"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "d"(port) : "memory");
}

void say(const char *text);
void say_number(uint64_t v);
__attribute__((noreturn)) void end(int status);

/* The line "ok NAME", or "wrong NAME: got, not wanted"; counts what was wrong. */
void expect(const char *name, uint64_t got, uint64_t wanted);
extern int wrong;

/* The request of a CPU. call() gives it to the VMM as it is. */
extern struct gnomon_enclave_request request[2];
enum gnomon_enclave_status call(int cpu, enum gnomon_enclave_call what);

/* Of the sample enclave, or of another that is like it. */
enum gnomon_enclave_status create(unsigned id, uint64_t buffer_gpa);
enum gnomon_enclave_status add(unsigned id, uint64_t va, unsigned rights, uint64_t gpa);
/* `pages` and `flags` as they are. */
enum gnomon_enclave_status add_pages(unsigned id, uint64_t va, unsigned rights, uint64_t gpa, uint64_t pages,
                                     uint64_t flags);
enum gnomon_enclave_status extend(unsigned id, uint64_t va);
enum gnomon_enclave_status init(unsigned id);
enum gnomon_enclave_status enter(int cpu, unsigned id, enum sample what, uint64_t with, uint64_t more);
enum gnomon_enclave_status resume(int cpu, unsigned id, uint64_t ticket, uint64_t result);
enum gnomon_enclave_status remove_page(unsigned id, uint64_t va);
enum gnomon_enclave_status destroy(unsigned id);

/* The sample in frames [frame, frame + 4): code, data, buffer, and one that is left. Sealed, or just built. */
void build(unsigned id, unsigned frame);
void build_and_seal(unsigned id, unsigned frame);
void fill(uint64_t gpa, uint8_t byte);
bool is_filled(uint64_t gpa, uint8_t byte);

/* CPU 1 runs fn. Once. */
void start_other(void (*fn)(void));
/* Interrupts that this CPU took; they are on between these two. */
extern volatile uint32_t interrupts;
void take_interrupts(void);

/* The arguments behind the image: one word. */
const char *word(const void *fdt);
bool same(const char *a, const char *b);

#endif
