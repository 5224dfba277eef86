/* SPDX-License-Identifier: MIT */
/* A snapshot's file as a machine to look at: its tables, what it has of memory, and pages that are damaged. No KVM. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "snapshot_made.h"
#include "view/file.h"

#define TABLE  (PTE_P | PTE_W | PTE_U)
#define ROOT   0x10000ull
#define LEAVES (16ull + VIEW_FILE_PAGES) /* kept where the root is */

static int fd;
static char path[32];
static struct view_file f;
static struct control_error err;

static enum made fill(const void *ctx, uint64_t gfn, uint8_t bytes[PAGE_SIZE])
{
	static const uint64_t mapped[] = {16, 31, 32, 5000};
	uint64_t *entry = (uint64_t *)bytes;

	if (gfn >= 16 && gfn < 19) /* levels 4 to 2 */
		entry[0] = (gfn < 18 ? gfn + 1 : LEAVES) << 12 | TABLE;
	if (gfn == 16)
		entry[1] = 30ull << 12 | TABLE; /* a table that is all zero */
	for (int i = 0; gfn == LEAVES && i < 4; i++)
		entry[i] = mapped[i] << 12 | TABLE;
	return gfn == 32 ? MADE_ABSENT : MADE_PAGE;
}

/* Tables at ROOT that map a page that is stored, one that is zero, one that is absent and one outside; packed or not. */
static void make(bool pack)
{
	struct snapshot_shape shape = made_shape();
	struct snapshot_state state = made_state(2);

	fd = memfd_create("snapshot", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	shape.cpus = 2;
	shape.maxphyaddr = 40;
	state.cpu[0].state.cr3 = ROOT;
	state.cpu[1].power = CPU_WAITS;
	made_write(fd, pack, &shape, &state, 300, fill, NULL);
}

static json_t *walk(const char *address)
{
	const struct control_walk wanted = {.address = address, .access = "r"};

	return view_file_walk(&f, &wanted, &err);
}

static void expect(const char *address, const char *outcome, const char *held)
{
	json_t *reply = walk(address);
	const char *is = json_string_value(json_object_get(reply, "held"));

	cr_assert(reply, "%s", err.desc);
	cr_expect_str_eq(json_string_value(json_object_get(reply, "outcome")), outcome, "%s", address);
	cr_expect_str_eq(is ? is : "", held, "%s", address);
	json_decref(reply);
}

static void looks(bool pack)
{
	json_t *reply;

	make(pack);
	cr_assert_eq(view_file_open(&f, path), 0);
	expect("0x8", "translated", "stored");
	expect("0x1000", "translated", "zero");
	expect("0x2fff", "translated", "absent");
	expect("0x3000", "translated", "outside");
	expect("0x4000", "not-present", "");
	expect("0x8000000000", "not-present", "");
	expect("0x800000000000", "non-canonical", "");
	cr_expect_null(view_file_walk(&f, &(struct control_walk){.address = "0", .access = "r", .cpu = 1}, &err));
	cr_expect(strstr(err.desc, "The guest has not started vCPU 1"), "%s", err.desc);
	reply = view_file_tables(&f, &(struct control_tables){.stage = "guest", .cpu = -1}, &err);
	cr_expect_eq(json_array_size(json_object_get(reply, "trees")), 1u);
	json_decref(reply);
	view_file_close(&f);
	close(fd);
}

Test(view_file, looks)
{
	looks(false);
	looks(true);
}

/* Bytes of a range by what the file has of them, whatever runs it is made of. */
Test(view_file, below)
{
	struct view_below below = {.piece = view_file_piece, .ctx = &f, .pieces_left = 1000};
	json_t *sums;
	char *text;

	make(false);
	cr_assert_eq(view_file_open(&f, path), 0);
	sums = view_below(&below, 0, 8 << 20);
	text = json_dumps(sums, JSON_COMPACT);
	cr_expect_str_eq(text, "{\"zero\":4173824,\"stored\":16384,\"absent\":4096,\"outside\":4194304}");
	free(text);
	json_decref(sums);
	below.pieces_left = 2;
	cr_expect_null(view_below(&below, 0, 8 << 20));
	view_file_close(&f);
	close(fd);
}

/* A table whose block is damaged is none: no reply is made of it. */
Test(view_file, damaged)
{
	uint8_t byte;

	make(false);
	cr_assert_eq(view_file_open(&f, path), 0);
	cr_assert_eq(pread(fd, &byte, 1, SNAPSHOT_HEADER + 5), 1);
	byte ^= 1;
	cr_assert_eq(pwrite(fd, &byte, 1, SNAPSHOT_HEADER + 5), 1);
	f.s.block.file = NULL; /* it has read this block for the state already */
	cr_expect_null(walk("0"));
	cr_expect(strstr(err.desc, "its block 0 is damaged"), "%s", err.desc);
	cr_expect_null(view_file_tables(&f, &(struct control_tables){.stage = "guest", .cpu = -1}, &err));
	view_file_close(&f);
	close(fd);
}
