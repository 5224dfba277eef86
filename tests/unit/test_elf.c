/* SPDX-License-Identifier: MIT */
/*
 * The image check. The file is hostile: each test spoils one thing in a good image, and the loader must
 * refuse it with the sentence that names that thing, or it would write outside guest memory.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>

#include "boot/elf.h"
#include "elf_builder.h"

#define RAM (64ull << 20)

static struct guest_mem mem;

static void setup(void)
{
	cr_assert_eq(guest_mem_init(&mem, RAM, BACKING_4K), 0);
}

static void teardown(void)
{
	guest_mem_destroy(&mem);
}

TestSuite(elf, .init = setup, .fini = teardown);

static int check(const struct image *m, uint64_t len, struct elf_image *ret, const char **ret_why)
{
	uint64_t head = len < ELF_HEAD_SIZE ? len : ELF_HEAD_SIZE;
	/* On the heap, exactly as long: a read beyond is an error for AddressSanitizer. */
	uint8_t *copy = malloc(head ? head : 1);
	int r;

	memcpy(copy, m, head);
	r = elf_check(copy, head, len, &mem, ret, ret_why);
	free(copy);
	return r;
}

static void refused(const struct image *m, const char *because)
{
	struct elf_image out;
	const char *why = NULL;

	memset(&out, 0x5a, sizeof(out));
	cr_assert_eq(check(m, sizeof(*m), &out, &why), -ENOEXEC, "accepted, though it %s", because);
	cr_assert_str_eq(why, because);
	for (size_t i = 0; i < sizeof(out); i++)
		cr_assert_eq(((uint8_t *)&out)[i], 0x5a, "the result was written on failure");
}

/* A good image is accepted, and what comes out is what the headers say. */
Test(elf, good)
{
	struct image m = image_good();
	struct elf_image out;
	const char *why = NULL;

	cr_assert_eq(check(&m, sizeof(m), &out, &why), 0, "%s", why);
	cr_assert_eq(out.nr_segments, 2);
	cr_assert_eq(gva_raw(out.entry), 0x100010);
	cr_assert_eq(out.segment[0].offset, offsetof(struct image, code));
	cr_assert_eq(out.segment[0].filesz, 256);
	cr_assert_eq(maddr_raw(out.segment[0].at), 0x100000);
	cr_assert(out.segment[0].executable);
	cr_assert_eq(out.segment[1].memsz, 3 * PAGE_SIZE);
	cr_assert_eq(maddr_raw(out.segment[1].at), 0x200000);
	cr_assert_not(out.segment[1].executable);
}

/* Linked at GNOMON_BOOT_VIRT and loaded low, as a kernel is. */
Test(elf, good_at_boot_virt)
{
	struct image m = image_good();
	struct elf_image out;
	const char *why = NULL;

	m.ph[0].p_vaddr += GNOMON_BOOT_VIRT;
	m.ph[1].p_vaddr += GNOMON_BOOT_VIRT;
	m.eh.e_entry += GNOMON_BOOT_VIRT;
	cr_assert_eq(check(&m, sizeof(m), &out, &why), 0, "%s", why);
	cr_assert_eq(gva_raw(out.entry), GNOMON_BOOT_VIRT + 0x100010);
}

/* Segments that end exactly at the end of memory and touch each other are good. */
Test(elf, good_at_the_limits)
{
	struct image m = image_good();
	struct elf_image out;
	const char *why = NULL;

	m.ph[0].p_memsz = 0x100000; /* up to where the next begins */
	m.ph[1].p_memsz = RAM - 0x200000;
	cr_assert_eq(check(&m, sizeof(m), &out, &why), 0, "%s", why);
}

/* Cut anywhere, a good image is bad, and nothing beyond the cut is read. */
Test(elf, truncated_at_every_byte)
{
	struct image m = image_good();

	for (uint64_t len = 0; len < sizeof(m); len++) {
		struct elf_image out;
		const char *why = NULL;

		cr_assert_eq(check(&m, len, &out, &why), -ENOEXEC, "accepted %llu of %zu bytes",
		             (unsigned long long)len, sizeof(m));
		if (len == 0)
			cr_assert_str_eq(why, "is empty");
		else if (len < sizeof(m.eh))
			cr_assert_str_eq(why, "is truncated: shorter than an ELF header");
		else if (len < offsetof(struct image, ph[2]))
			cr_assert_str_eq(why, "has program headers outside its first 4096 bytes");
		else
			cr_assert_str_eq(why, "is truncated: a segment reaches beyond the end of the file");
	}
}

/* Each of the first four bytes is part of the magic number. */
Test(elf, not_elf)
{
	for (int i = 0; i < SELFMAG; i++) {
		struct image m = image_good();

		m.eh.e_ident[i] ^= 1;
		refused(&m, "is not an ELF file");
	}
}

Test(elf, class_32_bit)
{
	struct image m = image_good();

	m.eh.e_ident[EI_CLASS] = ELFCLASS32;
	refused(&m, "is a 32-bit ELF file; Gnomon starts guests in 64-bit mode");
}

Test(elf, big_endian)
{
	struct image m = image_good();

	m.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	refused(&m, "is not a little-endian ELF file of version 1");
}

Test(elf, other_machine)
{
	struct image m = image_good();

	m.eh.e_machine = EM_AARCH64;
	refused(&m, "is made for another machine than x86-64");
}

/* A shared object or a position-independent executable would need relocations. */
Test(elf, not_static)
{
	struct image m = image_good();

	m.eh.e_type = ET_DYN;
	refused(&m, "is not a static executable (ELF type EXEC)");
}

Test(elf, interpreter)
{
	struct image m = image_good();

	m.eh.e_phnum = 3;
	m.ph[2].p_type = PT_INTERP;
	refused(&m, "is not a static executable: it asks for an interpreter");
}

Test(elf, no_program_headers)
{
	struct image m = image_good();

	m.eh.e_phnum = 0;
	refused(&m, "has no usable program headers");
	m = image_good();
	m.eh.e_phentsize--;
	refused(&m, "has no usable program headers");
}

/* The table must lie in the file's first page from end to end, also when its offset is absurd. */
Test(elf, program_headers_beyond)
{
	static const char why[] = "has program headers outside its first 4096 bytes";
	const uint64_t bad[] = {sizeof(struct image) - sizeof(Elf64_Phdr),
	                        sizeof(struct image),
	                        sizeof(struct image) + 1,
	                        ~0ull,
	                        ~0ull - sizeof(Elf64_Phdr),
	                        1ull << 63};
	struct image m = image_good();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		m.eh.e_phoff = bad[i];
		refused(&m, why);
	}
	m = image_good();
	m.eh.e_phnum = 0xffff;
	refused(&m, why);
}

Test(elf, no_segment)
{
	struct image m = image_good();

	m.ph[0].p_type = m.ph[1].p_type = PT_NOTE;
	refused(&m, "has no loadable segment");
	m = image_good();
	m.ph[0].p_memsz = m.ph[0].p_filesz = m.ph[1].p_memsz = m.ph[1].p_filesz = 0;
	refused(&m, "has no loadable segment");
}

Test(elf, more_than_16_segments)
{
	struct image m = image_good();

	for (int i = 0; i < ELF_SEGMENTS + 1; i++) {
		m.ph[i] = m.ph[0];
		m.ph[i].p_paddr = m.ph[i].p_vaddr = 0x100000 + i * PAGE_SIZE;
	}
	m.eh.e_phnum = ELF_SEGMENTS + 1;
	refused(&m, "has more than 16 loadable segments");
	m.eh.e_phnum = ELF_SEGMENTS; /* one fewer is good */
	cr_assert_eq(check(&m, sizeof(m), &(struct elf_image){0}, &(const char *){0}), 0);
}

Test(elf, file_size_exceeds_memory_size)
{
	struct image m = image_good();

	m.ph[1].p_memsz = m.ph[1].p_filesz - 1;
	refused(&m, "has a segment whose file size exceeds its memory size");
}

/* offset + file size may wrap around 2^64; it must not look small then. */
Test(elf, segment_beyond_the_file)
{
	static const char why[] = "is truncated: a segment reaches beyond the end of the file";
	struct image m = image_good();

	m.ph[1].p_offset++;
	refused(&m, why);
	m = image_good();
	m.ph[1].p_offset = ~0ull - 16;
	refused(&m, why);
}

Test(elf, segment_outside_memory)
{
	static const char why[] = "has a segment outside the guest's memory (see --memory)";
	struct image m = image_good();

	m.ph[1].p_paddr = m.ph[1].p_vaddr = RAM - 2 * PAGE_SIZE; /* its last page is too much */
	refused(&m, why);
	m.ph[1].p_paddr = m.ph[1].p_vaddr = RAM;
	refused(&m, why);
	m.ph[1].p_paddr = GNOMON_MMIO_BASE;
	refused(&m, why);
	m = image_good();
	m.ph[1].p_memsz = RAM;
	refused(&m, why);
}

Test(elf, segment_wraps_around)
{
	struct image m = image_good();

	m.ph[1].p_paddr = ~0ull - PAGE_SIZE;
	refused(&m, "has a segment whose physical address wraps around");
	m = image_good();
	m.ph[1].p_memsz = ~0ull - 0x1000;
	refused(&m, "has a segment whose physical address wraps around");
	m = image_good();
	m.ph[1].p_vaddr = ~0ull - PAGE_SIZE;
	refused(&m, "has a segment whose virtual address wraps around");
}

/* The first MiB holds the boot tables and the device tree. */
Test(elf, segment_in_the_loaders_memory)
{
	struct image m = image_good();

	m.ph[1].p_paddr = GNOMON_LOADER_END - 1;
	refused(&m, "has a segment in the loader's first MiB of memory");
	m.ph[1].p_paddr = 0;
	refused(&m, "has a segment in the loader's first MiB of memory");
}

/* By one byte, on either side, one inside the other, and the same one twice. */
Test(elf, overlapping_segments)
{
	static const struct {
		uint64_t at, memsz;
	} other[] = {{0x1fffff, 2},
	             {0x200000 + 3 * PAGE_SIZE - 1, 16},
	             {0x201000, 16},
	             {0x180000, 0x100000},
	             {0x200000, 3 * PAGE_SIZE}};

	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		struct image m = image_good();

		m.eh.e_phnum = 3;
		m.ph[2] = m.ph[1];
		m.ph[2].p_filesz = 1;
		m.ph[2].p_paddr = m.ph[2].p_vaddr = other[i].at;
		m.ph[2].p_memsz = other[i].memsz;
		refused(&m, "has overlapping segments");
	}
}

/* The entry must be code: not in a gap, not in data, not one byte beyond. */
Test(elf, entry_outside)
{
	const uint64_t bad[] = {0, 0xfffff, 0x100100, 0x200000, ~0ull, GNOMON_BOOT_VIRT + 0x100010};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct image m = image_good();

		m.eh.e_entry = bad[i];
		refused(&m, "has an entry outside its executable segments");
	}
}

/* Linked at an address where the boot tables do not put it, the first instruction would fault. */
Test(elf, entry_not_mapped)
{
	struct image m = image_good();

	m.ph[0].p_vaddr += PAGE_2M;
	m.eh.e_entry += PAGE_2M;
	refused(&m, "has an entry that the boot tables do not map (see include/gnomon/abi.h)");
}

/* Beyond 1 GiB the boot tables end, however much memory there is. */
Test(elf, entry_beyond_the_boot_tables)
{
	struct image m = image_good();

	guest_mem_destroy(&mem);
	cr_assert_eq(guest_mem_init(&mem, 2 * PAGE_1G, BACKING_4K), 0);
	m.ph[0].p_vaddr = m.ph[0].p_paddr = PAGE_1G;
	m.eh.e_entry = PAGE_1G;
	refused(&m, "has an entry that the boot tables do not map (see include/gnomon/abi.h)");
}
