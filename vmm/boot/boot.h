/* SPDX-License-Identifier: MIT */
/*
 * From an image file to guest memory ready to run: segments, boot page tables, device
 * tree. The contract with the guest is include/gnomon/abi.h.
 */
#ifndef GNOMON_BOOT_BOOT_H
#define GNOMON_BOOT_BOOT_H

#include <gnomon/addr.h>

#include "base/log.h"
#include "boot/elf.h"
#include "mem/guest_mem.h"

struct boot_params {
	const char *image;    /* path */
	const char *bootargs; /* the guest's command line */
	int cpus;
	uint64_t tsc_hz; /* 0: unknown, left out of the tree */
};

/* What the boot CPU starts with. */
struct boot_state {
	gva_t rip;
	gpa_t cr3;
	gpa_t fdt;
	gpa_t image; /* the image's segments lie in [image, image_end) */
	gpa_t image_end;
};

/*
 * Loads the image, writes boot tables and device tree into `mem` (fresh, zero). Says on
 * stderr what is wrong. -ENOEXEC for an image that is none, -E2BIG for a command line that
 * does not fit, other -errno from opening or reading the file.
 */
int must_check boot_load(const struct boot_params *p, const struct guest_mem *mem, struct boot_state *ret_state);

/*
 * The same in two steps: an image is read and checked while another guest still runs in `mem`, and put there later,
 * when nothing of the image's can be wrong any more. boot_read() says on stderr what is wrong, its -errno as above.
 */
struct boot_image {
	struct elf_image elf;
	uint8_t *bytes; /* of the segments, one behind the other */
};
int must_check boot_read(const struct boot_params *p, const struct guest_mem *mem, struct boot_image *ret_image);
int must_check boot_load_read(const struct boot_params *p, const struct boot_image *image, const struct guest_mem *mem,
                              struct boot_state *ret_state);
void boot_image_free(struct boot_image *image);

/* The device tree alone, into buf[0..len). -ENOSPC when it does not fit. */
int must_check boot_fdt(const struct boot_params *p, const struct guest_mem *mem, void *buf, int len);

#endif
