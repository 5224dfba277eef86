/* SPDX-License-Identifier: MIT */
/*
 * Segment descriptors: reading them from the guest's GDT or LDT, and the checks of loading them, APM2 4.7-4.11.
 * Rings 1 and 2 do not exist here: their selectors count as the privilege violations they nearly always are.
 */
#ifndef GNOMON_CPU_SEGMENT_H
#define GNOMON_CPU_SEGMENT_H

#include "cpu/env.h"

/* EXT and IDT of an error code that names a selector, APM2 8.4.1. */
#define ERROR_EXT 1
#define ERROR_IDT 2

/* True for selectors 0 to 3. */
bool segment_is_null(uint16_t selector);

/*
 * Reads the descriptor of a non-null selector; `wide` also takes the upper half of a 16-byte system descriptor
 * when the type has one. Raises #GP(selector | ext) beyond the table's limit.
 */
int must_check segment_read(struct trap_env *env, uint16_t selector, uint32_t ext, bool wide,
                            struct cpu_segment *ret_segment);

/* Sets the accessed bit of a code or data descriptor in memory, if clear, with a locked byte access. */
int must_check segment_mark_accessed(struct trap_env *env, struct cpu_segment *segment);

/* Marks the TSS descriptor of `segment` busy, in memory and in `segment`. */
int must_check segment_mark_busy(struct trap_env *env, struct cpu_segment *segment);

/* Loads ES, SS, DS, FS or GS as mov and pop do. SS must suit the CPL. */
int must_check segment_load(struct trap_env *env, enum segment which, uint16_t selector);

/*
 * Reads and checks a code segment for a far jump or call (`is_return` false: the privilege stays) or for a return to
 * the selector's RPL. -EOPNOTSUPP for 32-bit code. Does not load it.
 */
int must_check segment_check_code(struct trap_env *env, uint16_t selector, bool is_return,
                                  struct cpu_segment *ret_segment);

/* Reads and checks a stack segment for `cpl`; a null selector is fine at CPL 0. Does not load it. */
int must_check segment_check_stack(struct trap_env *env, uint16_t selector, uint8_t cpl,
                                   struct cpu_segment *ret_segment);

/* After a return to CPL 3: nulls ES, DS, FS and GS that hold a more privileged segment. */
void segment_drop_privileged(struct cpu_state *cpu);

/* The flat segments that syscall and sysret load without reading a table. */
struct cpu_segment segment_flat_code(uint16_t selector, uint8_t dpl);
struct cpu_segment segment_flat_data(uint16_t selector, uint8_t dpl);

#endif
