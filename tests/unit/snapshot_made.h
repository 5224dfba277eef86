/* SPDX-License-Identifier: MIT */
/* A snapshot of a machine made up: 4 MiB, some pages, one CPU. For unit tests and fuzzing. */
#ifndef TESTS_UNIT_SNAPSHOT_MADE_H
#define TESTS_UNIT_SNAPSHOT_MADE_H

#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "snapshot/reader.h"
#include "snapshot/writer.h"

#define MADE_MEMORY (4ull << 20)
#define MADE_PAGES  3

static const uint64_t made_gfn[MADE_PAGES] = {1, 2, 700};

static inline struct snapshot_shape made_shape(void)
{
	return (struct snapshot_shape){.memory = MADE_MEMORY,
	                               .cpus = 1,
	                               .paging = "nested",
	                               .vendor = "GenuineGnome",
	                               .gnomon = "1",
	                               .kernel = "6",
	                               .guest = "made-up"};
}

/* What page `gfn` holds. */
static inline void made_page(uint64_t gfn, uint8_t ret_page[PAGE_SIZE])
{
	for (uint64_t i = 0; i < PAGE_SIZE; i++)
		ret_page[i] = (uint8_t)(gfn * 31 + i * 7 + i / 256);
}

/* A CPU that passes; the caller frees the state (snapshot_state_free()). */
static inline struct snapshot_state made_state(uint32_t cpus)
{
	struct snapshot_state s = {.nr_cpus = cpus, .cpu = calloc(cpus, sizeof(struct cpu_saved))};

	s.balloon.nr_words = balloon_map_words(MADE_MEMORY / PAGE_SIZE);
	s.balloon.in_map = calloc(s.balloon.nr_words, sizeof(*s.balloon.in_map));
	for (uint32_t i = 0; i < cpus; i++) {
		struct cpu_saved *c = &s.cpu[i];

		c->power = CPU_RUNS;
		c->fpu_kind = CPU_FPU_XSAVE;
		c->state.rflags = RFLAGS_FIXED | RFLAGS_IF;
		c->state.rip = 0x100000 + i;
		c->state.gpr[GPR_R15] = i + 1;
		c->state.cr0 = CR0_PE | CR0_PG;
		c->state.cr4 = CR4_PAE;
		c->state.efer = EFER_LME | EFER_LMA;
		c->state.xcr0 = 1;
		c->vectors[1] = 1ull << 3;
		c->nr_extra = 1;
		c->extra[0] = (struct cpu_extra_msr){.index = 0x1d9, .value = i};
	}
	return s;
}

/* What is written of a page: nothing where the file below has the same. */
enum made { MADE_PAGE, MADE_ABSENT, MADE_AS_BELOW };

/* Fills `page`, which is zero before. */
typedef enum made made_fill(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE]);

/* Writes `pages` pages from address 0 as a snapshot of this shape, which gets its root, and frees the state. */
static inline void made_write(int fd, bool pack, struct snapshot_shape *shape, struct snapshot_state *state,
                              uint64_t pages, made_fill *fill, const void *ctx)
{
	_Alignas(uint64_t) uint8_t page[PAGE_SIZE];
	struct snapshot_writer w;
	uint8_t *bytes;
	size_t size;

	if (snapshot_writer_begin(&w, fd, pack) < 0 || snapshot_state_write(state, &bytes, &size) < 0)
		abort();
	w.names_zero = *shape->base;
	for (uint64_t gfn = 0; gfn < pages; gfn++) {
		enum made what;

		memset(page, 0, sizeof(page));
		what = fill(ctx, gfn, page);
		if (what == MADE_ABSENT)
			snapshot_writer_absent(&w, gfn);
		else if (what == MADE_PAGE)
			snapshot_writer_page(&w, gfn, page);
	}
	if (snapshot_writer_end(&w, shape, bytes, size) < 0)
		abort();
	free(bytes);
	snapshot_state_free(state);
}

static inline enum made made_fill_usual(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE])
{
	for (int i = 0; i < MADE_PAGES; i++)
		if (gfn == made_gfn[i])
			made_page(gfn, page);
	return gfn >= 512 && gfn < 516 ? MADE_ABSENT : MADE_PAGE;
}

/* A file with made_gfn's pages, and pages 512 to 515 absent. */
static inline int made_file_packed(uint32_t cpus, bool pack)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);
	struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(cpus);

	shape.cpus = cpus;
	made_write(fd, pack, &shape, &state, MADE_MEMORY / PAGE_SIZE, made_fill_usual, NULL);
	return fd;
}

static inline int made_file(uint32_t cpus)
{
	return made_file_packed(cpus, false);
}

#endif
