/* SPDX-License-Identifier: MIT */
#include "boot/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <gnomon/abi.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"

/* Where things lie in the loader's first MiB. */
#define BOOT_PML4      0x1000
#define BOOT_PDPT_LO   0x2000
#define BOOT_PDPT_HI   0x3000
#define BOOT_PD        0x4000
#define BOOT_FDT       0x10000
#define BOOT_FDT_LEN   0x10000
#define BOOT_FDT_FIRST 0x1000

#define INDEX(va, level) ((va) >> (PAGE_SHIFT + 9 * ((level)-1)) & 511)

/*
 * The boot tables: [0, 1 GiB) at 0 and again at GNOMON_BOOT_VIRT, through one shared
 * page directory of 2 MiB pages. No vCPU runs yet, so plain stores do.
 *
 *   PML4[0]   -> PDPT_LO[0]   -+
 *                              +-> PD[0..511]: 2 MiB pages
 *   PML4[511] -> PDPT_HI[510] -+
 */
static void write_boot_tables(const struct guest_mem *mem)
{
	const uint64_t table = PTE_P | PTE_W;
	uint64_t *pml4 = guest_mem_ptr(mem, maddr_init(BOOT_PML4), PAGE_SIZE);
	uint64_t *lo = guest_mem_ptr(mem, maddr_init(BOOT_PDPT_LO), PAGE_SIZE);
	uint64_t *hi = guest_mem_ptr(mem, maddr_init(BOOT_PDPT_HI), PAGE_SIZE);
	uint64_t *pd = guest_mem_ptr(mem, maddr_init(BOOT_PD), PAGE_SIZE);

	pml4[0] = BOOT_PDPT_LO | table;
	pml4[INDEX(GNOMON_BOOT_VIRT, 4)] = BOOT_PDPT_HI | table;
	lo[0] = BOOT_PD | table;
	hi[INDEX(GNOMON_BOOT_VIRT, 3)] = BOOT_PD | table;
	for (uint64_t i = 0; i < 512; i++)
		pd[i] = i * PAGE_2M | PTE_P | PTE_W | PTE_PS;
}

static int read_fully(int fd, void *to, uint64_t len, uint64_t offset)
{
	const int r = pread_all(fd, to, len, offset);

	return r == -ENODATA ? -ENOEXEC : r; /* it shrank since it was checked */
}

/* The file's part of a segment. -errno, logged. */
static int read_segment(const struct boot_params *p, int fd, const struct elf_segment *s, void *to)
{
	const int r = read_fully(fd, to, s->filesz, s->offset);

	if (r == -ENOEXEC)
		log_error("image %s was truncated while it was read", p->image);
	else if (r < 0)
		log_errno(-r, "cannot read image %s", p->image);
	return r;
}

/* From the lowest to the highest byte of any segment. */
static void find_extent(const struct elf_image *image, struct boot_state *state)
{
	uint64_t from = UINT64_MAX, to = 0;

	for (int i = 0; i < image->nr_segments; i++) {
		const struct elf_segment *s = &image->segment[i];

		if (maddr_raw(s->at) < from)
			from = maddr_raw(s->at);
		if (maddr_raw(s->at) + s->memsz > to)
			to = maddr_raw(s->at) + s->memsz;
	}
	state->image = gpa_init(from);
	state->image_end = gpa_init(to);
}

/* Opens the image and finds it good. Its descriptor; -errno, logged. */
static int open_image(const struct boot_params *p, const struct guest_mem *mem, struct elf_image *ret_image)
{
	uint8_t head[ELF_HEAD_SIZE];
	const char *why;
	struct stat st;
	ssize_t n = 0;
	int r = 0;
	/* Without O_NONBLOCK opening a FIFO waits for a writer, with signals blocked. */
	const int fd = open(p->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return log_errno(errno, "cannot open image %s", p->image);
	if (fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && (n = pread(fd, head, sizeof(head), 0)) < 0)) {
		r = log_errno(errno, "cannot read image %s", p->image);
	} else if (!S_ISREG(st.st_mode)) {
		log_error("image %s is not a regular file", p->image);
		r = -ENOEXEC;
	} else {
		r = elf_check(head, n, st.st_size, mem, ret_image, &why);
		if (r < 0)
			log_error("image %s %s", p->image, why);
	}
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* Boot tables and device tree, beside an image that is in memory. */
static int finish(const struct boot_params *p, const struct guest_mem *mem, const struct elf_image *image,
                  struct boot_state *ret_state)
{
	struct boot_state state = {.rip = image->entry, .cr3 = gpa_init(BOOT_PML4), .fdt = gpa_init(BOOT_FDT)};
	int r;

	/* libfdt clears all it is given, at a page fault a page: first a size that is enough for most. */
	r = boot_fdt(p, mem, guest_mem_ptr(mem, maddr_init(BOOT_FDT), BOOT_FDT_FIRST), BOOT_FDT_FIRST);
	if (r == -ENOSPC)
		r = boot_fdt(p, mem, guest_mem_ptr(mem, maddr_init(BOOT_FDT), BOOT_FDT_LEN), BOOT_FDT_LEN);
	if (r < 0) {
		log_error("the guest's command line is too long for the device tree's %d KiB", BOOT_FDT_LEN >> 10);
		return -E2BIG;
	}
	write_boot_tables(mem);
	find_extent(image, &state);
	*ret_state = state;
	return 0;
}

int boot_load(const struct boot_params *p, const struct guest_mem *mem, struct boot_state *ret_state)
{
	struct elf_image image;
	const int fd = open_image(p, mem, &image);
	int r = fd < 0 ? fd : 0;

	for (int i = 0; r == 0 && i < image.nr_segments; i++) {
		const struct elf_segment *s = &image.segment[i];

		if (s->filesz)
			r = read_segment(p, fd, s, guest_mem_ptr(mem, s->at, s->filesz));
	}
	if (fd >= 0)
		close(fd);
	return r < 0 ? r : finish(p, mem, &image, ret_state);
}

int boot_read(const struct boot_params *p, const struct guest_mem *mem, struct boot_image *ret_image)
{
	struct boot_image image = {0};
	const int fd = open_image(p, mem, &image.elf);
	uint64_t len = 0;
	int r = fd < 0 ? fd : 0;

	for (int i = 0; r == 0 && i < image.elf.nr_segments; i++)
		len += image.elf.segment[i].filesz;
	if (r == 0) {
		image.bytes = malloc(len ? len : 1);
		r = image.bytes ? 0 : log_errno(ENOMEM, "cannot read image %s", p->image);
	}
	len = 0;
	for (int i = 0; r == 0 && i < image.elf.nr_segments; i++) {
		r = read_segment(p, fd, &image.elf.segment[i], image.bytes + len);
		len += image.elf.segment[i].filesz;
	}
	if (fd >= 0)
		close(fd);
	if (r < 0)
		boot_image_free(&image);
	else
		*ret_image = image;
	return r;
}

int boot_load_read(const struct boot_params *p, const struct boot_image *image, const struct guest_mem *mem,
                   struct boot_state *ret_state)
{
	const uint8_t *from = image->bytes;

	for (int i = 0; i < image->elf.nr_segments; i++) {
		const struct elf_segment *s = &image->elf.segment[i];

		if (s->filesz)
			memcpy(guest_mem_ptr(mem, s->at, s->filesz), from, s->filesz);
		from += s->filesz;
	}
	return finish(p, mem, &image->elf, ret_state);
}

void boot_image_free(struct boot_image *image)
{
	free(image->bytes);
	image->bytes = NULL;
}
