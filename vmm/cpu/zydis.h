/* SPDX-License-Identifier: MIT */
/*
 * Zydis, loaded when the first instruction is to be decoded. Debian has it as a shared
 * library only, and a static gnomon reaches its guest 0.3 ms earlier; nested mode never
 * decodes anything.
 */
#ifndef GNOMON_CPU_ZYDIS_H
#define GNOMON_CPU_ZYDIS_H

#include <Zydis/Zydis.h>

#include "base/log.h"

/* Zydis' structures change with each minor version: GNOMON_ZYDIS is that of the headers, "4.0", in the soname, too. */
#define ZYDIS_LIBRARY "libZydis.so." GNOMON_ZYDIS
#define ZYDIS_PACKAGE "libzydis" GNOMON_ZYDIS /* Debian's */

/* Whether the library that was built for is there to be loaded; says nothing. Any thread. */
bool zydis_found(void);

/*
 * Loads the library; says what is missing and returns -ENOENT when it cannot. Call it, and see it succeed, before
 * zydis_decode() is used; again is harmless. Any thread.
 */
int must_check zydis_load(void);

/*
 * ZydisDecoderDecodeFull() for 64-bit code. `operands` has room for ZYDIS_MAX_OPERAND_COUNT. The prefix 66 of a relative
 * near branch means what it means to this CPU: nothing on Intel's, 16-bit operands on AMD's (APM3 1.2.2).
 */
ZyanStatus zydis_decode(const void *bytes, size_t length, ZydisDecodedInstruction *ret_insn,
                        ZydisDecodedOperand *ret_operands);

#endif
