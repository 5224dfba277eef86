/* SPDX-License-Identifier: MIT */
/*
 * What an enclave's file becomes: one rule for whoever builds the enclave and whoever computes beforehand what will be
 * measured. The file is a static ELF64 executable for x86-64. Usable in guests: no library is needed.
 *
 *   base     the page of the lowest PT_LOAD segment
 *   pages    those of the segments, with rights R, RW or RX; what the file does not fill is zero
 *   stack    PT_GNU_STACK's p_memsz (ld -z stack-size=), behind the last segment and an absent page; RW, zero
 *   buffer   one page, GNOMON_ENCLAVE_IMAGE_BUFFER below the base
 *   entry    e_entry
 *
 * All pages are added and measured (ADD, EXTEND), upwards.
 */
#ifndef GNOMON_ENCLAVE_IMAGE_H
#define GNOMON_ENCLAVE_IMAGE_H

#include <gnomon/enclave.h>

#define GNOMON_ENCLAVE_IMAGE_BUFFER   0x100000
#define GNOMON_ENCLAVE_IMAGE_SEGMENTS 16
#define GNOMON_ENCLAVE_IMAGE_PAGE     4096ull

struct gnomon_enclave_segment {
	uint64_t first, end; /* whole pages of the enclave */
	uint64_t va, size;   /* the file's bytes in there */
	const uint8_t *bytes;
	unsigned rights;
};

struct gnomon_enclave_image {
	struct gnomon_enclave_create create;
	struct gnomon_enclave_segment segment[GNOMON_ENCLAVE_IMAGE_SEGMENTS]; /* upwards; the last is the stack */
	unsigned nr;
};

/* ELF64 (System V ABI, chapters 4 and 5), as far as it is looked at. */
struct gnomon_enclave_ehdr {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct gnomon_enclave_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static inline unsigned gnomon_enclave_segment_rights(uint32_t flags)
{
	switch (flags & 7) { /* PF_X 1, PF_W 2, PF_R 4 */
	case 4:
		return GNOMON_ENCLAVE_R;
	case 6:
		return GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W;
	case 5:
		return GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X;
	default:
		return 0;
	}
}

/* One PT_LOAD. NULL, or what is wrong. */
static inline const char *gnomon_enclave_image_segment(struct gnomon_enclave_image *im, const uint8_t *file,
                                                       uint64_t size, const struct gnomon_enclave_phdr *p)
{
	const uint64_t mask = GNOMON_ENCLAVE_IMAGE_PAGE - 1;
	struct gnomon_enclave_segment *s = &im->segment[im->nr];

	if (im->nr == GNOMON_ENCLAVE_IMAGE_SEGMENTS - 1)
		return "it has too many segments";
	if (p->filesz > p->memsz)
		return "a segment has more bytes in the file than in memory";
	if (p->filesz && (p->filesz > size || p->offset > size - p->filesz))
		return "a segment reaches beyond the end of the file";
	if (p->vaddr < GNOMON_ENCLAVE_LOWEST + GNOMON_ENCLAVE_IMAGE_BUFFER || p->vaddr >= GNOMON_ENCLAVE_HIGHEST ||
	    p->memsz > GNOMON_ENCLAVE_HIGHEST - p->vaddr)
		return "a segment lies where no enclave can be";
	*s = (struct gnomon_enclave_segment){
	    .first = p->vaddr & ~mask,
	    .end = (p->vaddr + p->memsz + mask) & ~mask,
	    .va = p->vaddr,
	    .size = p->filesz,
	    .bytes = p->filesz ? file + p->offset : file,
	    .rights = gnomon_enclave_segment_rights(p->flags),
	};
	if (!s->rights)
		return "a segment's rights are not R, RW or RX";
	if (im->nr && s->first < im->segment[im->nr - 1].end)
		return "two segments share a page, or do not ascend";
	im->nr++;
	return (const char *)0;
}

/* The program headers: all PT_LOADs, and the size of the stack; 0: none is said. NULL, or what is wrong. */
static inline const char *gnomon_enclave_image_segments(struct gnomon_enclave_image *im, const uint8_t *file,
                                                        uint64_t size, uint64_t *ret_stack)
{
	const struct gnomon_enclave_ehdr *e = (const struct gnomon_enclave_ehdr *)(const void *)file;
	const struct gnomon_enclave_phdr *p = (const struct gnomon_enclave_phdr *)(const void *)(file + e->phoff);
	const char *wrong = (const char *)0;

	*ret_stack = 0;
	for (unsigned i = 0; i < e->phnum && !wrong; i++) {
		if (p[i].type == 1 && (p[i].memsz || p[i].filesz)) { /* PT_LOAD */
			wrong = gnomon_enclave_image_segment(im, file, size, &p[i]);
		} else if (p[i].type == 0x6474e551) { /* PT_GNU_STACK */
			if (*ret_stack)
				wrong = "it has two stacks";
			*ret_stack = p[i].memsz;
		} else if (p[i].type == 2 || p[i].type == 3) { /* PT_DYNAMIC, PT_INTERP */
			wrong = "it is not linked statically";
		}
	}
	return wrong ? wrong : im->nr ? (const char *)0 : "it has no segment";
}

/* Whether ENTER can begin there. */
static inline int gnomon_enclave_image_is_code(const struct gnomon_enclave_image *im, uint64_t va)
{
	for (unsigned i = 0; i < im->nr; i++)
		if (va >= im->segment[i].first && va < im->segment[i].end)
			return (im->segment[i].rights & GNOMON_ENCLAVE_X) != 0;
	return 0;
}

/*
 * NULL, with *ret_image filled in, which points into `file`; or a sentence about what is wrong. `file` is 8-byte aligned.
 * It may be hostile: whatever it says, nothing outside its `size` bytes is read, and CREATE, ADD, EXTEND and INIT take
 * what comes out, as far as there is memory. Its pages may be many: the caller looks at create.size first.
 */
static inline const char *gnomon_enclave_image_open(const void *file, uint64_t size,
                                                    struct gnomon_enclave_image *ret_image)
{
	const struct gnomon_enclave_ehdr *e = (const struct gnomon_enclave_ehdr *)file;
	const uint64_t page = GNOMON_ENCLAVE_IMAGE_PAGE;
	uint64_t stack, base, end;
	const char *wrong;

	ret_image->nr = 0;
	if (size < sizeof(*e) || e->ident[0] != 0x7f || e->ident[1] != 'E' || e->ident[2] != 'L' ||
	    e->ident[3] != 'F' || e->ident[4] != 2 || e->ident[5] != 1 || e->machine != 62 || e->type != 2 ||
	    e->phentsize != sizeof(struct gnomon_enclave_phdr))
		return "it is no static ELF64 executable for x86-64";
	if (e->phoff % 8 || e->phoff > size || e->phnum * sizeof(struct gnomon_enclave_phdr) > size - e->phoff)
		return "its program headers are not aligned, or reach beyond the end of the file";
	wrong = gnomon_enclave_image_segments(ret_image, (const uint8_t *)file, size, &stack);
	if (wrong)
		return wrong;
	if (!gnomon_enclave_image_is_code(ret_image, e->entry))
		return "its entry is in no executable segment";
	if (!stack)
		return "it says no size for its stack (ld -z stack-size=)";
	base = ret_image->segment[0].first;
	end = ret_image->segment[ret_image->nr - 1].end + page;
	if (end > GNOMON_ENCLAVE_HIGHEST || stack > GNOMON_ENCLAVE_HIGHEST - end)
		return "there is no room for its stack behind the last segment";
	stack = (stack + page - 1) & ~(page - 1);
	ret_image->segment[ret_image->nr++] = (struct gnomon_enclave_segment){
	    .first = end, .end = end + stack, .va = end, .rights = GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W};
	ret_image->create = (struct gnomon_enclave_create){
	    .base = base,
	    .size = end + stack - base,
	    .entry = e->entry,
	    .stack = end + stack,
	    .buffer = base - GNOMON_ENCLAVE_IMAGE_BUFFER,
	    .buffer_size = page,
	};
	return (const char *)0;
}

/* Copies the page at `va` of this segment, which has it, to `ret_content`. */
static inline void gnomon_enclave_image_page(const struct gnomon_enclave_segment *s, uint64_t va,
                                             uint8_t ret_content[GNOMON_ENCLAVE_IMAGE_PAGE])
{
	for (uint64_t i = 0; i < GNOMON_ENCLAVE_IMAGE_PAGE; i++) {
		const uint64_t off = va + i - s->va; /* wraps to huge below */

		ret_content[i] = off < s->size ? s->bytes[off] : 0;
	}
}

#endif
