/* SPDX-License-Identifier: MIT */
/*
 * ELF64 image check (System V gABI chapter 4 and 5; x86-64 psABI). The file is
 * hostile: everything is checked here, once, and what comes out can be loaded
 * without another look. Pure: no file, no guest memory, so it can be fuzzed.
 */
#ifndef GNOMON_BOOT_ELF_H
#define GNOMON_BOOT_ELF_H

#include <gnomon/addr.h>
#include <stddef.h>

#include "base/log.h"
#include "mem/guest_mem.h"

#define ELF_SEGMENTS  16
#define ELF_HEAD_SIZE 4096 /* file and program headers must lie in the file's first page */

struct elf_segment {
	uint64_t offset; /* in the file */
	uint64_t filesz; /* bytes to copy */
	uint64_t memsz;  /* bytes occupied; the rest is zero */
	maddr_t at;      /* p_paddr */
	gva_t vaddr;
	bool executable;
};

struct elf_image {
	gva_t entry;
	int nr_segments;
	struct elf_segment segment[ELF_SEGMENTS];
};

/*
 * Checks the first `head_len` bytes of an image of `file_size` bytes against the RAM
 * in `mem` and fills *ret_image. 0, or -ENOEXEC with *ret_why pointing at a static
 * half-sentence that says what is wrong with the image ("is not ...").
 */
int must_check elf_check(const uint8_t *head, size_t head_len, uint64_t file_size, const struct guest_mem *mem,
                         struct elf_image *ret_image, const char **ret_why);

#endif
