/* SPDX-License-Identifier: MIT */
/* A small good ELF64 image in memory that tests then spoil in one place. */
#ifndef TESTS_UNIT_ELF_BUILDER_H
#define TESTS_UNIT_ELF_BUILDER_H

#include <elf.h>
#include <gnomon/addr.h>
#include <string.h>

#define IMAGE_PHDRS 20 /* room for more segments than the loader takes */
#define IMAGE_CODE  0x600

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[IMAGE_PHDRS];
	uint8_t pad[IMAGE_CODE - sizeof(Elf64_Ehdr) - IMAGE_PHDRS * sizeof(Elf64_Phdr)];
	uint8_t code[256];
	uint8_t data[256];
};

/* Two segments, code at 1 MiB and data with a zeroed tail at 2 MiB, linked where they lie. */
static inline struct image image_good(void)
{
	struct image m;

	memset(&m, 0, sizeof(m));
	memcpy(m.eh.e_ident, ELFMAG, SELFMAG);
	m.eh.e_ident[EI_CLASS] = ELFCLASS64;
	m.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	m.eh.e_ident[EI_VERSION] = EV_CURRENT;
	m.eh.e_type = ET_EXEC;
	m.eh.e_machine = EM_X86_64;
	m.eh.e_version = EV_CURRENT;
	m.eh.e_entry = 0x100010;
	m.eh.e_phoff = offsetof(struct image, ph);
	m.eh.e_ehsize = sizeof(m.eh);
	m.eh.e_phentsize = sizeof(Elf64_Phdr);
	m.eh.e_phnum = 2;
	m.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
	                       .p_flags = PF_R | PF_X,
	                       .p_offset = offsetof(struct image, code),
	                       .p_vaddr = 0x100000,
	                       .p_paddr = 0x100000,
	                       .p_filesz = sizeof(m.code),
	                       .p_memsz = sizeof(m.code),
	                       .p_align = PAGE_SIZE};
	m.ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
	                       .p_flags = PF_R | PF_W,
	                       .p_offset = offsetof(struct image, data),
	                       .p_vaddr = 0x200000,
	                       .p_paddr = 0x200000,
	                       .p_filesz = sizeof(m.data),
	                       .p_memsz = 3 * PAGE_SIZE,
	                       .p_align = PAGE_SIZE};
	memset(m.code, 0xf4, sizeof(m.code));
	memset(m.data, 0xda, sizeof(m.data));
	return m;
}

#endif
