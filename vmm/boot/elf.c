/* SPDX-License-Identifier: MIT */
#include "boot/elf.h"

#include <elf.h>
#include <errno.h>
#include <gnomon/abi.h>
#include <string.h>

static const char *check_header(const Elf64_Ehdr *eh, size_t head_len)
{
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return "is not an ELF file";
	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return "is a 32-bit ELF file; Gnomon starts guests in 64-bit mode";
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_ident[EI_VERSION] != EV_CURRENT)
		return "is not a little-endian ELF file of version 1";
	if (eh->e_machine != EM_X86_64)
		return "is made for another machine than x86-64";
	if (eh->e_type != ET_EXEC)
		return "is not a static executable (ELF type EXEC)";
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0)
		return "has no usable program headers";
	if (eh->e_phoff > head_len || eh->e_phnum > (head_len - eh->e_phoff) / sizeof(Elf64_Phdr))
		return "has program headers outside its first 4096 bytes";
	return NULL;
}

static bool overlaps(const struct elf_image *image, const struct elf_segment *s)
{
	for (int i = 0; i < image->nr_segments; i++) {
		const struct elf_segment *o = &image->segment[i];

		if (maddr_raw(s->at) < maddr_raw(o->at) + o->memsz && maddr_raw(o->at) < maddr_raw(s->at) + s->memsz)
			return true;
	}
	return false;
}

static const char *add_segment(struct elf_image *image, const Elf64_Phdr *ph, uint64_t file_size,
                               const struct guest_mem *mem)
{
	const struct elf_segment s = {
	    .offset = ph->p_offset,
	    .filesz = ph->p_filesz,
	    .memsz = ph->p_memsz,
	    .at = maddr_init(ph->p_paddr),
	    .vaddr = gva_init(ph->p_vaddr),
	    .executable = ph->p_flags & PF_X,
	};

	if (image->nr_segments == ELF_SEGMENTS)
		return "has more than 16 loadable segments";
	if (s.filesz > s.memsz)
		return "has a segment whose file size exceeds its memory size";
	if (s.offset > file_size || s.filesz > file_size - s.offset)
		return "is truncated: a segment reaches beyond the end of the file";
	if (ph->p_paddr + ph->p_memsz < ph->p_paddr)
		return "has a segment whose physical address wraps around";
	if (ph->p_vaddr + ph->p_memsz < ph->p_vaddr)
		return "has a segment whose virtual address wraps around";
	if (ph->p_paddr < GNOMON_LOADER_END)
		return "has a segment in the loader's first MiB of memory";
	if (!guest_mem_ptr(mem, s.at, s.memsz))
		return "has a segment outside the guest's memory (see --memory)";
	if (overlaps(image, &s))
		return "has overlapping segments";
	image->segment[image->nr_segments++] = s;
	return NULL;
}

/* The entry must be code, at an address where the boot tables put it: identity or GNOMON_BOOT_VIRT. */
static const char *check_entry(const struct elf_image *image, uint64_t entry)
{
	for (int i = 0; i < image->nr_segments; i++) {
		const struct elf_segment *s = &image->segment[i];
		uint64_t off = entry - gva_raw(s->vaddr);
		uint64_t phys = maddr_raw(s->at) + off;

		if (off >= s->memsz || !s->executable)
			continue;
		if (phys >= PAGE_1G || (entry != phys && entry != phys + GNOMON_BOOT_VIRT))
			return "has an entry that the boot tables do not map (see include/gnomon/abi.h)";
		return NULL;
	}
	return "has an entry outside its executable segments";
}

int elf_check(const uint8_t *head, size_t head_len, uint64_t file_size, const struct guest_mem *mem,
              struct elf_image *ret_image, const char **ret_why)
{
	struct elf_image image = {0};
	Elf64_Ehdr eh;
	const char *why;

	if (file_size == 0)
		why = "is empty";
	else if (head_len < sizeof(eh))
		why = "is truncated: shorter than an ELF header";
	else {
		memcpy(&eh, head, sizeof(eh));
		why = check_header(&eh, head_len);
	}
	for (int i = 0; !why && i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, head + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_INTERP)
			why = "is not a static executable: it asks for an interpreter";
		else if (ph.p_type == PT_LOAD && ph.p_memsz)
			why = add_segment(&image, &ph, file_size, mem);
	}
	if (!why && image.nr_segments == 0)
		why = "has no loadable segment";
	if (!why)
		why = check_entry(&image, eh.e_entry);
	if (why) {
		*ret_why = why;
		return -ENOEXEC;
	}
	image.entry = gva_init(eh.e_entry);
	*ret_image = image;
	return 0;
}
