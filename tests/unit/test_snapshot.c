/* SPDX-License-Identifier: MIT */
/*
 * The format of snapshots: what is written comes back, and nothing else is taken: cut off anywhere, any byte changed, sizes
 * that cannot be, another version. What differs between two files: test_snapshot_compare.c.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <gnomon/abi.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot_made.h"

/* Opens a copy of the descriptor, so that the file stays. */
static int open_copy(int fd, struct snapshot *s, char *why)
{
	return snapshot_open_fd(dup(fd), s, why);
}

static off_t size_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_size;
}

/* Reads everything. 0, or the first error. */
static int read_all(int fd, char *why)
{
	struct snapshot s;
	int r = open_copy(fd, &s, why);

	if (r < 0)
		return r;
	for (uint64_t i = 0; r == 0 && i < s.file->nr_leaves; i++)
		r = snapshot_file_block(s.file, &s.block, i, why);
	snapshot_close(&s);
	return r;
}

Test(snapshot, comes_back)
{
	uint8_t page[PAGE_SIZE], want[PAGE_SIZE];
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot s;
	int fd = made_file(2);

	cr_assert_eq(open_copy(fd, &s, why), 0, "%s", why);
	cr_expect_eq(s.shape.memory, MADE_MEMORY);
	cr_expect_eq(s.shape.stored_pages, 3u);
	cr_expect_eq(s.shape.absent_pages, 4u);
	cr_expect_eq(s.shape.zero_pages, MADE_MEMORY / PAGE_SIZE - 7);
	cr_expect_str_eq(s.shape.guest, "made-up");
	cr_assert_eq(s.nr_runs, 3u);
	cr_expect_eq(s.run[0].gfn, 1u);
	cr_expect_eq(s.run[0].pages, 2u);
	cr_expect_eq(s.run[1].kind, SNAPSHOT_ABSENT);
	cr_expect_eq(s.run[1].pages, 4u);
	for (uint32_t i = 0; i < 2; i++) {
		made_page(1 + i, want);
		cr_assert_eq(snapshot_page(&s, &s.run[0], i, page, why), 0);
		cr_expect_arr_eq(page, want, sizeof(page));
	}
	cr_expect_eq(s.state.nr_cpus, 2u);
	cr_expect_eq(s.state.cpu[1].state.gpr[GPR_R15], 2u);
	cr_expect_eq(s.state.cpu[1].vectors[1], 8u);
	cr_expect_eq(s.state.cpu[1].extra[0].index, 0x1d9u);
	snapshot_close(&s);
	cr_expect_eq(read_all(fd, why), 0);
	close(fd);
}

/* The same pages out of fewer bytes; packed bytes that are wrong, though their hash is right, give a clause. */
Test(snapshot, packed)
{
	uint8_t page[PAGE_SIZE], want[PAGE_SIZE];
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot_extent run;
	struct snapshot s, plain;
	int fd = made_file_packed(1, true), other = made_file(1);

	cr_assert_eq(open_copy(fd, &s, why), 0, "%s", why);
	cr_assert_eq(open_copy(other, &plain, why), 0, "%s", why);
	cr_assert_eq(s.nr_runs, 3u);
	cr_expect_eq(s.run[0].kind, SNAPSHOT_PACKED);
	cr_expect_lt(s.shape.file_size, plain.shape.file_size);
	for (uint32_t i = 0; i < 3; i++) {
		made_page(made_gfn[i], want);
		cr_assert_eq(snapshot_page(&s, &s.run[i == 2 ? 2 : 0], i % 2, page, why), 0, "%s", why);
		cr_expect_arr_eq(page, want, sizeof(page));
	}
	run = s.run[0];
	run.pages = run.frame = 1;
	cr_expect_eq(snapshot_page(&s, &run, 0, page, why), -EBADMSG, "more comes out");
	run.pages = run.frame = 3;
	cr_expect_eq(snapshot_page(&s, &run, 0, page, why), -EBADMSG, "less comes out");
	run = s.run[0];
	run.at++;
	cr_expect_eq(snapshot_page(&s, &run, 0, page, why), -EBADMSG, "no frame");
	cr_expect(strstr(why, "cannot be unpacked"));
	snapshot_close(&plain);
	snapshot_close(&s);
	cr_expect_eq(read_all(fd, why), 0);
	close(fd);
	close(other);
}

/* Where RAM lies: below the MMIO hole, and the rest from 4 GiB up. */
Test(snapshot, where_ram_ends)
{
	const uint64_t low = GNOMON_RAM_LOW_END, high = GNOMON_RAM_HIGH_BASE / PAGE_SIZE,
	               never = UINT64_MAX / PAGE_SIZE;
	const uint64_t hole = low / PAGE_SIZE;

	for (uint64_t memory = low - PAGE_2M; memory <= low; memory += PAGE_2M) {
		const uint64_t end = memory / PAGE_SIZE;

		cr_expect_eq(snapshot_ram_end(memory), end);
		cr_expect(snapshot_is_ram(memory, 0, end) && snapshot_is_ram(memory, end - 1, 1));
		cr_expect_not(snapshot_is_ram(memory, 0, end + 1) || snapshot_is_ram(memory, end, 1));
		cr_expect_not(snapshot_is_ram(memory, high, 1) || snapshot_is_ram(memory, 0, 0));
		cr_expect_eq(snapshot_area_end(memory, 0), end);
		cr_expect_eq(snapshot_area_end(memory, end), never);
	}
	cr_expect_eq(snapshot_ram_end(low + PAGE_2M), high + 512);
	cr_expect(snapshot_is_ram(low + PAGE_2M, high, 512));
	cr_expect_not(snapshot_is_ram(low + PAGE_2M, high, 513) || snapshot_is_ram(low + PAGE_2M, high - 1, 2));
	cr_expect_not(snapshot_is_ram(low + PAGE_2M, hole - 1, 2) || snapshot_is_ram(low + PAGE_2M, high + 512, 1));
	cr_expect_eq(snapshot_area_end(low + PAGE_2M, hole - 1), hole);
	cr_expect_eq(snapshot_area_end(low + PAGE_2M, hole), high);
	cr_expect_eq(snapshot_area_end(low + PAGE_2M, high + 511), high + 512);
	cr_expect_eq(snapshot_area_end(low + PAGE_2M, high + 512), never);
}

/* A machine that has nothing but zeroes is a file without pages. */
Test(snapshot, zeroes_cost_nothing)
{
	static const uint8_t zero[PAGE_SIZE];
	int fd = memfd_create("snapshot", 0);
	struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(1);
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot_writer w;
	uint8_t *bytes;
	size_t size;

	cr_assert_eq(snapshot_state_write(&state, &bytes, &size), 0);
	cr_assert_eq(snapshot_writer_begin(&w, fd, false), 0);
	for (uint64_t gfn = 0; gfn < 1024; gfn++)
		snapshot_writer_page(&w, gfn, zero);
	cr_assert_eq(snapshot_writer_end(&w, &shape, bytes, size), 0);
	cr_expect_eq(shape.state_at, SNAPSHOT_HEADER);
	cr_expect_eq(size_of(fd), (off_t)(SNAPSHOT_HEADER + size + SNAPSHOT_HASH));
	cr_expect_eq(read_all(fd, why), 0, "%s", why);
	free(bytes);
	snapshot_state_free(&state);
	close(fd);
}

Test(snapshot, cut_off_anywhere)
{
	char why[SNAPSHOT_WHY_MAX];
	int fd = made_file(1);

	for (off_t size = size_of(fd) - 1; size >= 0; size = size > 600 ? size - 300 : size - 1) {
		cr_assert_eq(ftruncate(fd, size), 0);
		cr_assert_eq(read_all(fd, why), -EBADMSG, "%lld", (long long)size);
		cr_assert(strstr(why, "cut off") || strstr(why, "no snapshot"), "%s", why);
	}
	close(fd);
}

Test(snapshot, longer_than_it_says)
{
	char why[SNAPSHOT_WHY_MAX];
	int fd = made_file(1);

	cr_assert_eq(ftruncate(fd, size_of(fd) + 1), 0);
	cr_assert_eq(read_all(fd, why), -EBADMSG);
	cr_expect(strstr(why, "written to behind its end"), "%s", why);
	close(fd);
}

/* Each byte of the file is under a hash, and a block that is wrong is named. */
Test(snapshot, any_byte_changed)
{
	char why[SNAPSHOT_WHY_MAX];
	int fd = made_file(1);

	for (off_t at = 0; at < size_of(fd); at++) {
		uint8_t byte, other;

		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		other = byte ^ (uint8_t)(1 << at % 8);
		cr_assert_eq(pwrite(fd, &other, 1, at), 1);
		cr_assert_eq(read_all(fd, why), -EBADMSG, "byte %lld", (long long)at);
		if (at >= SNAPSHOT_HEADER)
			cr_assert(strstr(why, "its block 0 is damaged") || strstr(why, "table of hashes"), "%s", why);
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	cr_expect_eq(read_all(fd, why), 0);
	close(fd);
}

/* With a header whose hash is right. */
static void expect_refused(int fd, const struct snapshot_shape *shape, const char *what)
{
	uint8_t header[SNAPSHOT_HEADER];
	char why[SNAPSHOT_WHY_MAX];

	snapshot_shape_write(shape, header);
	cr_assert_eq(pwrite(fd, header, sizeof(header), 0), SNAPSHOT_HEADER);
	cr_expect_lt(read_all(fd, why), 0, "%s", what);
}

#define REFUSED(field, value)                                                                                          \
	do {                                                                                                           \
		struct snapshot_shape s_ = good.shape;                                                                 \
		s_.field = (value);                                                                                    \
		expect_refused(fd, &s_, #field " " #value);                                                            \
	} while (0)

Test(snapshot, sizes_that_cannot_be)
{
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot good;
	int fd = made_file(1);

	cr_assert_eq(open_copy(fd, &good, why), 0);
	REFUSED(memory, 0);
	REFUSED(memory, MADE_MEMORY - PAGE_SIZE);
	REFUSED(memory, MADE_MEMORY / 2);
	REFUSED(memory, SNAPSHOT_MEMORY_MAX);
	REFUSED(memory, UINT64_MAX & ~(PAGE_2M - 1));
	REFUSED(cpus, 0);
	REFUSED(cpus, 2);
	REFUSED(cpus, SNAPSHOT_CPUS_MAX + 1);
	REFUSED(cpus, UINT32_MAX);
	REFUSED(state_at, 0);
	REFUSED(state_at, good.shape.state_at + PAGE_SIZE);
	REFUSED(state_at, UINT64_MAX - 4095);
	REFUSED(state_size, good.shape.state_size - 1);
	REFUSED(state_size, SNAPSHOT_STATE_MAX + 1);
	REFUSED(state_size, UINT64_MAX);
	REFUSED(index_at, good.shape.index_at - SNAPSHOT_RUN);
	REFUSED(nr_runs, good.shape.nr_runs + 1);
	REFUSED(nr_runs, UINT64_MAX / SNAPSHOT_RUN + 1);
	REFUSED(leaves_at, 0);
	REFUSED(leaves_at, good.shape.leaves_at + SNAPSHOT_HASH);
	REFUSED(leaves_at, UINT64_MAX);
	REFUSED(file_size, good.shape.file_size + 1);
	REFUSED(file_size, UINT64_MAX);
	REFUSED(root[0], good.shape.root[0] ^ 1);
	memset(good.shape.vendor, 'x', sizeof(good.shape.vendor));
	expect_refused(fd, &good.shape, "a vendor without an end");
	snapshot_close(&good);
	close(fd);
}

Test(snapshot, another_version)
{
	const uint32_t version = SNAPSHOT_VERSION + 1;
	char why[SNAPSHOT_WHY_MAX];
	int fd = made_file(1);

	cr_assert_eq(pwrite(fd, &version, sizeof(version), 8), sizeof(version));
	cr_assert_eq(read_all(fd, why), -EBADMSG);
	cr_expect(strstr(why, "version 3, and this program reads versions 1 to 2"), "%s", why);
	close(fd);
}

/* An entry of the index whose hash is right. */
Test(snapshot, runs_that_cannot_be)
{
	const struct snapshot_shape shape = {.memory = 8ull << 30, .cpus = 1, .state_at = 100 * PAGE_SIZE};
	const struct snapshot_run before = {.gfn = 10, .pages = 5, .kind = SNAPSHOT_STORED};
	static const struct snapshot_run good[] = {
	    {15, 1, SNAPSHOT_STORED, SNAPSHOT_HEADER, PAGE_SIZE},
	    {15, 99, SNAPSHOT_STORED, SNAPSHOT_HEADER, 99 * PAGE_SIZE},
	    {786431, 1, SNAPSHOT_ABSENT, 0, 0},
	    {1048576, 1310720, SNAPSHOT_ABSENT, 0, 0},
	    {15, 16, SNAPSHOT_PACKED, SNAPSHOT_HEADER + 1, 5},
	};
	static const struct snapshot_run bad[] = {
	    {14, 1, SNAPSHOT_STORED, SNAPSHOT_HEADER, PAGE_SIZE},
	    {15, 0, SNAPSHOT_ABSENT, 0, 0},
	    {15, 1, 0, 0, 0},
	    {15, 1, 4, 0, 0},
	    {15, 17, SNAPSHOT_PACKED, SNAPSHOT_HEADER, 5},
	    {15, 1, SNAPSHOT_PACKED, SNAPSHOT_HEADER, 0},
	    {15, 1, SNAPSHOT_PACKED, SNAPSHOT_HEADER, PAGE_SIZE},
	    {15, 1, SNAPSHOT_PACKED, 100 * PAGE_SIZE - 4, 5},
	    {15, 1, SNAPSHOT_PACKED, 1, 5},
	    {15, 1, SNAPSHOT_STORED, SNAPSHOT_HEADER, 2 * PAGE_SIZE},
	    {15, 1, SNAPSHOT_STORED, SNAPSHOT_HEADER, 0},
	    {15, 1, SNAPSHOT_STORED, 0, PAGE_SIZE},
	    {15, 1, SNAPSHOT_STORED, 4097, PAGE_SIZE},
	    {15, 1, SNAPSHOT_STORED, 100 * PAGE_SIZE, PAGE_SIZE},
	    {15, 1, SNAPSHOT_STORED, UINT64_MAX - 4095, PAGE_SIZE},
	    {15, 100, SNAPSHOT_STORED, SNAPSHOT_HEADER, 100 * PAGE_SIZE},
	    {15, 1, SNAPSHOT_ABSENT, SNAPSHOT_HEADER, 0},
	    {15, 1, SNAPSHOT_ABSENT, 0, PAGE_SIZE},
	    {786431, 2, SNAPSHOT_ABSENT, 0, 0},
	    {786432, 1, SNAPSHOT_ABSENT, 0, 0},
	    {1048575, 2, SNAPSHOT_ABSENT, 0, 0},
	    {1048576, 1310721, SNAPSHOT_ABSENT, 0, 0},
	    {UINT64_MAX, 1, SNAPSHOT_ABSENT, 0, 0},
	    {15, UINT32_MAX, SNAPSHOT_ABSENT, 0, 0},
	};
	uint8_t bytes[SNAPSHOT_RUN];
	struct snapshot_run run;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snapshot_run_write(&good[i], bytes);
		cr_expect(snapshot_run_read(bytes, &shape, &before, &run), "good run %zu", i);
		cr_expect_eq(run.gfn, good[i].gfn);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snapshot_run_write(&bad[i], bytes);
		cr_expect_not(snapshot_run_read(bytes, &shape, &before, &run), "bad run %zu", i);
	}
}

/* State whose hash is right: each byte changed is taken or refused, and what is too short or too long is not taken. */
Test(snapshot, state_of_any_kind)
{
	const struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(1), read;
	char why[SNAPSHOT_WHY_MAX];
	uint8_t *bytes;
	size_t size;

	cr_assert_eq(snapshot_state_write(&state, &bytes, &size), 0);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 0xff;
		if (snapshot_state_read(bytes, size, &shape, &read, why) == 0)
			snapshot_state_free(&read);
		bytes[i] ^= 0xff;
	}
	for (size_t less = 0; less < size; less += 13)
		cr_assert_eq(snapshot_state_read(bytes, less, &shape, &read, why), -EBADMSG);
	cr_assert_eq(snapshot_state_read(bytes, size, &shape, &read, why), 0, "%s", why);
	snapshot_state_free(&read);
	free(bytes);
	snapshot_state_free(&state);
}

/* CPUs that no CPU can be. */
#define BAD_CPU(field, value)                                                                                          \
	do {                                                                                                           \
		struct cpu_saved c_ = *good;                                                                           \
		c_.field = (value);                                                                                    \
		cr_expect(cpu_saved_check(&c_), #field " " #value);                                                    \
	} while (0)

Test(snapshot, cpus_that_cannot_be)
{
	struct snapshot_state state = made_state(1);
	const struct cpu_saved *good = state.cpu;

	cr_assert_null(cpu_saved_check(good));
	BAD_CPU(power, CPU_POWERS);
	BAD_CPU(fpu_kind, CPU_FPU_KINDS);
	BAD_CPU(nr_extra, CPU_EXTRA_MAX + 1);
	BAD_CPU(vectors[0], 1ull << 14);
	BAD_CPU(state.rflags, 0);
	BAD_CPU(state.rflags, RFLAGS_FIXED | 1ull << 32);
	BAD_CPU(state.cpl, 4);
	BAD_CPU(state.cr0, 0);
	BAD_CPU(state.cr4, 0);
	BAD_CPU(state.efer, EFER_LMA);
	BAD_CPU(state.cr8, 16);
	BAD_CPU(state.dr[7], 1ull << 40);
	BAD_CPU(state.rip, 1ull << 63);
	BAD_CPU(state.gdtr.base, 1ull << 47);
	BAD_CPU(state.msrs.lstar, 1ull << 62);
	BAD_CPU(state.seg[SEG_GS].base, 1ull << 50);
	BAD_CPU(state.seg[SEG_CS].attributes, 0x0f00);
	snapshot_state_free(&state);
}

/* A full disk: the first error is kept, and nothing is completed. */
Test(snapshot, no_room)
{
	struct snapshot_shape shape = made_shape();
	uint8_t page[PAGE_SIZE], state = 0;
	struct snapshot_writer w;
	int fd = open("/dev/full", O_RDWR);

	cr_assert_eq(snapshot_writer_begin(&w, fd, false), 0);
	for (uint64_t gfn = 0; gfn < 100; gfn++) {
		made_page(gfn, page);
		snapshot_writer_page(&w, gfn, page);
	}
	cr_expect_eq(w.error, -ENOSPC);
	cr_expect_eq(snapshot_writer_end(&w, &shape, &state, 1), -ENOSPC);
	close(fd);
}
