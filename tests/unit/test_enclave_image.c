/* SPDX-License-Identifier: MIT */
/*
 * What an enclave's file becomes. The file is hostile: each test spoils one thing in a good one, and it must be refused
 * with the sentence that names that thing. What is not refused has the measurement that the calls give by hand.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/image.h"
#include "enclave_elf.h"
#include "enclave_world.h"

#define R  GNOMON_ENCLAVE_R
#define RW (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)
#define RX (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)

static struct gnomon_enclave_image out;
static uint8_t *file; /* on the heap, exactly as long: a read beyond is an error for AddressSanitizer */

static const char *open_file(const struct image *m, size_t len)
{
	free(file);
	file = malloc(len ? len : 1);
	cr_assert(file);
	memcpy(file, m, len);
	return gnomon_enclave_image_open(file, len, &out);
}

static void end(void)
{
	free(file);
	file = NULL;
}

TestSuite(enclave_image, .fini = end);

static void refused(const struct image *m, size_t len, const char *because)
{
	const char *why = open_file(m, len);

	cr_assert(why, "accepted, though %s", because);
	cr_expect_str_eq(why, because);
}

#define REFUSED(because, ...)                                                                                          \
	do {                                                                                                           \
		struct image m = enclave_elf_good();                                                                   \
		__VA_ARGS__;                                                                                           \
		refused(&m, sizeof(m), because);                                                                       \
	} while (0)

Test(enclave_image, good)
{
	const struct image m = enclave_elf_good();

	cr_assert_null(open_file(&m, sizeof(m)));
	cr_assert_eq(out.nr, 3u);
	cr_expect(out.segment[0].first == EE_BASE && out.segment[0].end == EE_BASE + PAGE_SIZE);
	cr_expect_eq(out.segment[0].rights, RX);
	cr_expect(out.segment[1].first == EE_DATA && out.segment[1].end == EE_DATA + 2 * PAGE_SIZE);
	cr_expect_eq(out.segment[1].rights, RW);
	cr_expect(out.segment[2].first == EE_DATA + 3 * PAGE_SIZE && out.segment[2].end == EE_DATA + 7 * PAGE_SIZE);
	cr_expect_eq(out.segment[2].rights, RW);
	cr_expect_eq(out.create.base, EE_BASE);
	cr_expect_eq(out.create.size, EE_PAGES * PAGE_SIZE);
	cr_expect_eq(out.create.entry, EE_BASE + 16);
	cr_expect_eq(out.create.stack, EE_BASE + EE_PAGES * PAGE_SIZE);
	cr_expect_eq(out.create.buffer, EE_BASE - GNOMON_ENCLAVE_IMAGE_BUFFER);
	cr_expect_eq(out.create.buffer_size, PAGE_SIZE);
	cr_expect_eq(out.create.flags, 0u);
}

/* The bytes of a page: the file's where it has some, zero before and behind them. */
Test(enclave_image, content)
{
	const struct image m = enclave_elf_good();
	uint8_t page[PAGE_SIZE], expected[PAGE_SIZE] = {0};

	cr_assert_null(open_file(&m, sizeof(m)));
	memset(expected + 0x80, 0xda, sizeof(m.data));
	gnomon_enclave_image_page(&out.segment[1], EE_DATA, page);
	cr_expect_arr_eq(page, expected, sizeof(page));
	memset(expected, 0, sizeof(expected));
	gnomon_enclave_image_page(&out.segment[1], EE_DATA + PAGE_SIZE, page);
	cr_expect_arr_eq(page, expected, sizeof(page));
	gnomon_enclave_image_page(&out.segment[2], out.segment[2].first, page);
	cr_expect_arr_eq(page, expected, sizeof(page));
}

Test(enclave_image, header)
{
	static const char words[] = "it is no static ELF64 executable for x86-64";

	for (int i = 0; i < SELFMAG; i++)
		REFUSED(words, m.eh.e_ident[i] ^= 1);
	REFUSED(words, m.eh.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(words, m.eh.e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSED(words, m.eh.e_machine = EM_386);
	REFUSED(words, m.eh.e_type = ET_DYN);
	REFUSED(words, m.eh.e_phentsize = 32);
}

Test(enclave_image, program_headers)
{
	static const char words[] = "its program headers are not aligned, or reach beyond the end of the file";

	REFUSED(words, m.eh.e_phoff++);
	REFUSED(words, m.eh.e_phoff = sizeof(m) & ~7ull);
	REFUSED(words, m.eh.e_phoff = sizeof(m) + 8);
	REFUSED(words, m.eh.e_phoff = ~7ull);
	REFUSED(words, m.eh.e_phnum = 0xffff);
	REFUSED("it has no segment", m.eh.e_phnum = 0);
	REFUSED("it has no segment", m.ph[0].p_type = m.ph[1].p_type = PT_NOTE);
	REFUSED("it is not linked statically", m.ph[3].p_type = PT_DYNAMIC; m.eh.e_phnum = 4);
	REFUSED("it is not linked statically", m.ph[3].p_type = PT_INTERP; m.eh.e_phnum = 4);
}

/* However short it is: no byte behind its end is read. */
Test(enclave_image, truncated)
{
	const struct image m = enclave_elf_good();

	for (size_t len = 0; len < sizeof(m); len++)
		cr_expect_not_null(open_file(&m, len), "%zu bytes", len);
}

Test(enclave_image, segments)
{
	REFUSED("a segment reaches beyond the end of the file", m.ph[1].p_offset = sizeof(m));
	REFUSED("a segment reaches beyond the end of the file", m.ph[1].p_offset = ~0ull);
	REFUSED("a segment reaches beyond the end of the file", m.ph[1].p_filesz = m.ph[1].p_memsz);
	REFUSED("a segment reaches beyond the end of the file", m.ph[1].p_filesz = m.ph[1].p_memsz = ~0ull);
	REFUSED("a segment has more bytes in the file than in memory", m.ph[1].p_memsz = m.ph[1].p_filesz - 1);
	REFUSED("a segment has more bytes in the file than in memory", m.ph[1].p_memsz = 0);
	REFUSED("a segment lies where no enclave can be", m.ph[1].p_memsz = ~0ull);
	REFUSED("a segment lies where no enclave can be", m.ph[1].p_memsz = GNOMON_ENCLAVE_HIGHEST);
	REFUSED("a segment lies where no enclave can be", m.ph[1].p_vaddr = GNOMON_ENCLAVE_HIGHEST);
	REFUSED("a segment lies where no enclave can be", m.ph[1].p_vaddr = ~0ull);
	REFUSED("a segment lies where no enclave can be",
	        m.ph[0].p_vaddr = GNOMON_ENCLAVE_LOWEST + GNOMON_ENCLAVE_IMAGE_BUFFER - 1);
	for (unsigned flags = 0; flags < 8; flags++)
		if (flags != PF_R && flags != (PF_R | PF_W) && flags != (PF_R | PF_X))
			REFUSED("a segment's rights are not R, RW or RX", m.ph[1].p_flags = flags);
	REFUSED("two segments share a page, or do not ascend", m.ph[1].p_vaddr = EE_BASE + 256);
	REFUSED("two segments share a page, or do not ascend", m.ph[1].p_vaddr = EE_BASE - 0x10000);
	REFUSED("two segments share a page, or do not ascend", m.ph[0].p_memsz = 0x2081);
}

Test(enclave_image, too_many_segments)
{
	struct image m = enclave_elf_good();
	const unsigned most = GNOMON_ENCLAVE_IMAGE_SEGMENTS - 1; /* and the stack */

	_Static_assert(GNOMON_ENCLAVE_IMAGE_SEGMENTS + 1 <= IMAGE_PHDRS, "room in the image");
	for (unsigned i = 2; i <= most; i++) {
		m.ph[i] = m.ph[1];
		m.ph[i].p_vaddr = EE_DATA + i * 0x10000;
	}
	m.ph[most + 1] = enclave_elf_good().ph[EE_STACK];
	m.eh.e_phnum = most + 2;
	refused(&m, sizeof(m), "it has too many segments");
	m.ph[most].p_type = PT_NOTE;
	cr_expect_null(open_file(&m, sizeof(m)));
	cr_expect_eq(out.nr, GNOMON_ENCLAVE_IMAGE_SEGMENTS);
}

Test(enclave_image, entry_and_stack)
{
	static const uint64_t entries[] = {
	    0, ~0ull, EE_BASE - 1, EE_BASE + PAGE_SIZE, EE_DATA, EE_DATA + 4 * PAGE_SIZE};

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++)
		REFUSED("its entry is in no executable segment", m.eh.e_entry = entries[i]);
	REFUSED("it says no size for its stack (ld -z stack-size=)", m.ph[EE_STACK].p_memsz = 0);
	REFUSED("it says no size for its stack (ld -z stack-size=)", m.ph[EE_STACK].p_type = PT_NOTE);
	REFUSED("it has two stacks", m.ph[3] = m.ph[EE_STACK]; m.eh.e_phnum = 4);
	REFUSED("there is no room for its stack behind the last segment", m.ph[EE_STACK].p_memsz = ~0ull);
	REFUSED("there is no room for its stack behind the last segment",
	        m.ph[EE_STACK].p_memsz = GNOMON_ENCLAVE_HIGHEST - EE_DATA - 3 * PAGE_SIZE + 1);
	REFUSED("there is no room for its stack behind the last segment",
	        m.ph[1].p_memsz = GNOMON_ENCLAVE_HIGHEST - m.ph[1].p_vaddr);
}

/* The largest that the format allows opens, and is too large to build. */
Test(enclave_image, largest)
{
	struct image m = enclave_elf_good();
	struct enclave_info info;

	m.ph[EE_STACK].p_memsz = GNOMON_ENCLAVE_HIGHEST - EE_DATA - 3 * PAGE_SIZE;
	cr_assert_null(open_file(&m, sizeof(m)));
	cr_expect_eq(out.create.base + out.create.size, GNOMON_ENCLAVE_HIGHEST);
	cr_expect_eq(enclave_image_build(&out, &info), GNOMON_ENCLAVE_NO_MEMORY);
	m.ph[EE_STACK].p_memsz = ENCLAVE_IMAGE_MAX;
	cr_assert_null(open_file(&m, sizeof(m)));
	cr_expect_eq(enclave_image_build(&out, &info), GNOMON_ENCLAVE_NO_MEMORY);
}

/* Zeroed memory of a segment without bytes may begin behind the end of the file, as ld has it. */
Test(enclave_image, segment_without_bytes)
{
	struct image m = enclave_elf_good();
	uint8_t page[PAGE_SIZE], zero[PAGE_SIZE] = {0};

	m.ph[1].p_filesz = 0;
	m.ph[1].p_offset = ~0ull;
	cr_assert_null(open_file(&m, sizeof(m)));
	gnomon_enclave_image_page(&out.segment[1], EE_DATA, page);
	cr_expect_arr_eq(page, zero, sizeof(page));
}

/* Segments that span tables of the view, and a hole of 512 MiB between them. */
Test(enclave_image, builds_what_it_opens)
{
	struct image m = enclave_elf_good();
	struct enclave_info info;

	m.ph[1].p_vaddr = EE_BASE + (512ull << 20) - 8;
	m.ph[1].p_memsz = 3ull << 20;
	cr_assert_null(open_file(&m, sizeof(m)));
	cr_expect_eq(enclave_image_build(&out, &info), GNOMON_ENCLAVE_OK);
	cr_expect_eq(info.state, ENCLAVE_READY);
	cr_expect_eq(info.pages, 1u + 769u + 4u);
}

static void add(uint64_t va, unsigned rights, const uint8_t *bytes, size_t size, size_t at)
{
	uint8_t page[PAGE_SIZE] = {0};

	if (size)
		memcpy(page + at, bytes, size);
	ew_ok(enclave_add(ew.all, 1, va, rights, page));
	ew_ok(enclave_extend(ew.all, 1, va));
}

/* The same enclave, each of its calls written down, and from the last page to the first. */
Test(enclave_image, measurement)
{
	const struct image m = enclave_elf_good();
	const struct gnomon_enclave_create create = {
	    .base = 0x400000,
	    .size = 0x9000,
	    .entry = 0x400010,
	    .stack = 0x409000,
	    .buffer = 0x300000,
	    .buffer_size = 0x1000,
	};
	struct enclave_info info, by_hand;

	cr_assert_null(open_file(&m, sizeof(m)));
	cr_assert_eq(enclave_image_build(&out, &info), GNOMON_ENCLAVE_OK);
	ew_begin(2);
	ew_ok(enclave_create(ew.all, 1, &create));
	for (uint64_t va = 0x408000; va >= 0x405000; va -= PAGE_SIZE)
		add(va, RW, NULL, 0, 0);
	add(0x403000, RW, NULL, 0, 0);
	add(0x402000, RW, m.data, sizeof(m.data), 0x80);
	add(0x400000, RX, m.code, sizeof(m.code), 0);
	ew_ok(enclave_init(ew.all, 1, NULL));
	cr_assert(enclave_look(ew.all, 1, &by_hand));
	cr_expect_arr_eq(info.measurement, by_hand.measurement, sizeof(info.measurement));
	ew_end();
}
