/* SPDX-License-Identifier: MIT */
/* A small good file of an enclave that tests then spoil in one place. */
#ifndef TESTS_UNIT_ENCLAVE_ELF_H
#define TESTS_UNIT_ENCLAVE_ELF_H

#include "elf_builder.h"

#define EE_BASE  0x400000ull
#define EE_DATA  0x402000ull
#define EE_PAGES 9 /* of the enclave, absent ones, too */
#define EE_STACK 2 /* number of the program header */

/*
 *   0x400000  code: a page, R and X
 *   0x402000  data: two pages, R and W; 256 bytes from 0x402080 on are the file's
 *   0x405000  stack: four pages
 */
static inline struct image enclave_elf_good(void)
{
	struct image m = image_good();

	m.eh.e_entry = EE_BASE + 16;
	m.eh.e_phnum = 3;
	m.ph[0].p_vaddr = EE_BASE;
	m.ph[1].p_vaddr = EE_DATA + 0x80;
	m.ph[1].p_memsz = PAGE_SIZE;
	m.ph[EE_STACK] =
	    (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_memsz = 4 * PAGE_SIZE - 1, .p_align = 16};
	return m;
}

#endif
