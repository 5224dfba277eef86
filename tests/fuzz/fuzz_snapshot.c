/* SPDX-License-Identifier: MIT */
/*
 * A hostile snapshot. What the hashes protect is looked at behind them, as if they were right: header, entries of the
 * index, state. Each is refused with a clause, or keeps its promises.
 *
 * Input: a byte that says what it is, then its bytes: 0 a whole file; 1 the fields of a header, which gets its hash; 2
 * entries of an index; 3 a state; 4 the guest's tables, which `gnomon walk` and `gnomon tables` look at: CR3, an address,
 * then the entries of 16 pages; 5 a file and one that builds on it: a byte with bits, then 4 bytes for each range of pages
 * (bit 0 packs the first, bit 1 the other); with bit 2 the rest are fields of the other's header.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "snapshot_made.h"
#include "view/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Everything that opening lets through can be read. */
static void read_all(int fd)
{
	uint8_t page[PAGE_SIZE];
	char why[SNAPSHOT_WHY_MAX] = "";
	struct snapshot s;

	if (snapshot_open_fd(fd, &s, why) < 0) {
		require(*why);
		return;
	}
	for (uint64_t i = 0; i < s.nr_runs && i < 64; i++)
		if (s.run[i].kind != SNAPSHOT_ABSENT && snapshot_page(&s, &s.run[i], s.run[i].pages - 1, page, why) < 0)
			require(*why);
	snapshot_close(&s);
}

static void whole_file(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	read_all(fd);
}

/* A good file with another header. */
/* Each look ends, with a reply or a sentence. */
static void look(int fd, const char *address)
{
	static const char *const access[] = {"r", "w", "x"}, *const stage[] = {"guest", "stage2", "shadow"};
	struct control_error err = {0};
	struct view_file f;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(view_file_open(&f, path) == 0);
	for (int i = 0; i < 3; i++) {
		const struct control_walk w = {.address = address, .access = access[i], .privilege = i ? "user" : NULL};
		const struct control_tables t = {.stage = stage[i], .address = i ? address : NULL, .cpu = -1};
		json_t *walk = view_file_walk(&f, &w, &err), *tables;

		require(walk || *err.desc);
		tables = view_file_tables(&f, &t, &err);
		require(tables || *err.desc);
		json_decref(walk);
		json_decref(tables);
	}
	view_file_close(&f);
}

static enum made fill_tables(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE])
{
	const uint8_t(*memory)[PAGE_SIZE] = ctx;

	memcpy(page, memory[gfn], PAGE_SIZE);
	return gfn == 7 ? MADE_ABSENT : MADE_PAGE;
}

static void guest_tables(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);
	struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(1);
	uint8_t memory[16][PAGE_SIZE] = {0};
	uint64_t word[2] = {0};
	char address[24];

	memcpy(word, data, size < sizeof(word) ? size : sizeof(word));
	if (size > sizeof(word))
		memcpy(memory, data + sizeof(word),
		       size - sizeof(word) < sizeof(memory) ? size - sizeof(word) : sizeof(memory));
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)word[1]);
	shape.maxphyaddr = 48;
	state.cpu[0].state.cr3 = word[0] & 0xffff; /* mostly one of the 16 pages */
	made_write(fd, size & 1, &shape, &state, 16, fill_tables, memory);
	look(fd, address);
	close(fd);
}

static void header(const uint8_t *data, size_t size)
{
	const int fd = made_file_packed(1, size & 1);
	uint8_t bytes[SNAPSHOT_HEADER];
	struct snapshot_shape shape = made_shape();

	memcpy(&shape, data, size < sizeof(shape) ? size : sizeof(shape));
	snapshot_shape_write(&shape, bytes);
	require(pwrite(fd, bytes, sizeof(bytes), 0) == SNAPSHOT_HEADER);
	read_all(fd);
}

/* --- a chain --- */

#define CHAIN_PAGES (MADE_MEMORY / PAGE_SIZE)
#define CHAIN_USED  128 /* of them; more are slow */

enum { ZERO, ABSENT, FIRST_CONTENT };

struct chain_pair {
	const uint8_t *is, *base;
};

static enum made fill_chain(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE])
{
	const struct chain_pair *p = ctx;

	memset(page, p->is[gfn] == ZERO ? 0 : p->is[gfn], PAGE_SIZE);
	if (p->base && p->base[gfn] == p->is[gfn])
		return MADE_AS_BELOW;
	return p->is[gfn] == ABSENT ? MADE_ABSENT : MADE_PAGE;
}

/* Writes the pages that differ from `base`, all of them without one. */
static int write_chain(const uint8_t *is, const uint8_t *base, bool pack, struct snapshot_shape *shape)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);
	const struct chain_pair pair = {is, base};
	struct snapshot_state state = made_state(1);

	made_write(fd, pack, shape, &state, CHAIN_PAGES, fill_chain, &pair);
	return fd;
}

/* Each page is what the newer file says, or else the other. */
static void expect_pages(struct snapshot *s, const uint8_t *is)
{
	uint8_t page[PAGE_SIZE];
	char why[SNAPSHOT_WHY_MAX];

	for (uint64_t gfn = 0; gfn < CHAIN_PAGES; gfn++) {
		const struct snapshot_extent *run = snapshot_run_from(s, gfn);

		if (run && run->gfn > gfn)
			run = NULL;
		require(!run == (is[gfn] == ZERO));
		require(!run || (run->kind == SNAPSHOT_ABSENT) == (is[gfn] == ABSENT));
		if (!run || is[gfn] == ABSENT)
			continue;
		require(snapshot_page(s, run, (uint32_t)(gfn - run->gfn), page, why) == 0);
		require(page[0] == is[gfn] && page[PAGE_SIZE - 1] == is[gfn]);
	}
}

static void chain(const uint8_t *data, size_t size)
{
	const uint8_t bits = size ? *data : 0;
	uint8_t is[2][CHAIN_PAGES] = {0}, header[SNAPSHOT_HEADER];
	struct snapshot_shape shape = made_shape(), below = made_shape();
	const int dir = open("/proc/self/fd", O_PATH | O_DIRECTORY);
	char why[SNAPSHOT_WHY_MAX] = "";
	size_t at = 1;
	struct snapshot s;
	int fd[2];

	for (; at + 4 <= size && data[at] != 0xff; at += 4) {
		const uint64_t first = (data[at] >> 1 | (data[at + 1] & 7) << 7) % CHAIN_USED;

		for (uint64_t gfn = first; gfn < CHAIN_USED && gfn < first + data[at + 2]; gfn++)
			for (int i = data[at] & 1; i < 2; i++) /* in the newer file, too */
				is[i][gfn] = data[at + 3];
	}
	fd[0] = write_chain(is[0], NULL, bits & 1, &below);
	snprintf(shape.base, sizeof(shape.base), "%d", fd[0]);
	memcpy(shape.base_root, below.root, sizeof(shape.base_root));
	fd[1] = write_chain(is[1], is[0], bits & 2, &shape);
	if (bits & 4 && at + 1 < size) {
		memcpy(&shape, data + at + 1, size - at - 1 < sizeof(shape) ? size - at - 1 : sizeof(shape));
		snapshot_shape_write(&shape, header);
		require(pwrite(fd[1], header, sizeof(header), 0) == SNAPSHOT_HEADER);
	}
	if (snapshot_open_in(dir, fd[1], &s, why) == 0) {
		if (!(bits & 4))
			expect_pages(&s, is[1]);
		snapshot_close(&s);
	} else {
		require(bits & 4 && *why);
	}
	close(fd[0]);
	close(dir);
}

static void index_entries(const uint8_t *data, size_t size)
{
	const struct snapshot_shape shape = {.memory = 8ull << 30, .cpus = 1, .state_at = 1 << 20, .base = "x"};
	struct snapshot_run run, before;
	bool first = true;

	for (size_t at = 0; at + SNAPSHOT_RUN <= size; at += SNAPSHOT_RUN) {
		if (!snapshot_run_read(data + at, &shape, first ? NULL : &before, &run))
			continue;
		require(run.pages && snapshot_is_ram(shape.memory, run.gfn, run.pages));
		require(first || run.gfn >= before.gfn + before.pages);
		require(run.kind == SNAPSHOT_ABSENT || run.kind == SNAPSHOT_ZERO ||
		        (run.at >= SNAPSHOT_HEADER && run.at + run.size <= shape.state_at));
		before = run;
		first = false;
	}
}

static void state(const uint8_t *data, size_t size)
{
	const struct snapshot_shape shape = made_shape();
	struct snapshot_state good = made_state(1), read;
	char why[SNAPSHOT_WHY_MAX] = "";
	uint8_t *bytes;
	size_t all;

	require(snapshot_state_write(&good, &bytes, &all) == 0);
	for (size_t i = 0; i + 3 <= size; i += 3) /* a place and a byte */
		bytes[(data[i] | data[i + 1] << 8) % all] = data[i + 2];
	if (snapshot_state_read(bytes, all, &shape, &read, why) == 0) {
		require(!cpu_saved_check(&read.cpu[0]));
		snapshot_state_free(&read);
	} else {
		require(*why);
	}
	free(bytes);
	snapshot_state_free(&good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const part[])(const uint8_t *data, size_t size) = {whole_file, header,       index_entries,
	                                                                 state,      guest_tables, chain};

	if (size)
		part[*data % (sizeof(part) / sizeof(*part))](data + 1, size - 1);
	return 0;
}
