/* SPDX-License-Identifier: MIT */
#include "snapshot/format.h"

#include <errno.h>
#include <gnomon/abi.h>
#include <gnomon/addr.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include "snapshot/codec.h"

#define MAGIC    0x50414e534d4f4e47ull /* "GNOMSNAP" */
#define CHECK_AT (SNAPSHOT_HEADER - SNAPSHOT_HASH)

/* --- hashes --- */

/* The first byte keeps a block from passing for a node, and the header for either. */
enum { HASH_LEAF, HASH_NODE, HASH_HEADER, HASH_CHAIN };

static void hash(uint8_t kind, const void *bytes, size_t size, uint8_t ret_hash[SNAPSHOT_HASH])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, SNAPSHOT_HASH);
	crypto_generichash_update(&state, &kind, 1);
	crypto_generichash_update(&state, bytes, size);
	crypto_generichash_final(&state, ret_hash, SNAPSHOT_HASH);
}

void snapshot_leaf(const void *block, size_t size, uint8_t ret_hash[SNAPSHOT_HASH])
{
	hash(HASH_LEAF, block, size, ret_hash);
}

static void tree_root(uint8_t (*leaf)[SNAPSHOT_HASH], uint64_t n, uint8_t ret_root[SNAPSHOT_HASH])
{
	if (n == 0) {
		memset(ret_root, 0, SNAPSHOT_HASH);
		return;
	}
	for (; n > 1; n = (n + 1) / 2) {
		for (uint64_t i = 0; i < n / 2; i++)
			hash(HASH_NODE, leaf[2 * i], 2 * SNAPSHOT_HASH, leaf[i]);
		if (n % 2)
			memcpy(leaf[n / 2], leaf[n - 1], SNAPSHOT_HASH);
	}
	memcpy(ret_root, leaf[0], SNAPSHOT_HASH);
}

void snapshot_root(const struct snapshot_shape *s, uint8_t (*leaf)[SNAPSHOT_HASH], uint64_t n,
                   uint8_t ret_root[SNAPSHOT_HASH])
{
	uint8_t both[2][SNAPSHOT_HASH];

	tree_root(leaf, n, ret_root);
	if (!*s->base)
		return;
	memcpy(both[0], s->base_root, SNAPSHOT_HASH);
	memcpy(both[1], ret_root, SNAPSHOT_HASH);
	hash(HASH_CHAIN, both, sizeof(both), ret_root);
}

/* --- header --- */

static void shape(struct codec *c, struct snapshot_shape *s)
{
	codec_u64(c, &s->memory);
	codec_u32(c, &s->cpus);
	codec_bytes(c, s->paging, sizeof(s->paging));
	codec_bytes(c, s->vendor, sizeof(s->vendor));
	for (int i = 0; i < SNAPSHOT_FEATURES; i++)
		codec_u32(c, &s->features[i]);
	codec_u32(c, &s->maxphyaddr);
	codec_u64(c, &s->tsc_hz);
	codec_u64(c, &s->created_ms);
	codec_bytes(c, s->gnomon, sizeof(s->gnomon));
	codec_bytes(c, s->kernel, sizeof(s->kernel));
	codec_bytes(c, s->guest, sizeof(s->guest));
	codec_u64(c, &s->state_at);
	codec_u64(c, &s->state_size);
	codec_u64(c, &s->index_at);
	codec_u64(c, &s->nr_runs);
	codec_u64(c, &s->leaves_at);
	codec_u64(c, &s->file_size);
	codec_u64(c, &s->stored_pages);
	codec_u64(c, &s->zero_pages);
	codec_u64(c, &s->absent_pages);
	codec_bytes(c, s->root, sizeof(s->root));
	codec_bytes(c, s->base, sizeof(s->base));
	codec_bytes(c, s->base_root, sizeof(s->base_root));
}

static uint32_t version_of(const struct snapshot_shape *s)
{
	return *s->base ? SNAPSHOT_VERSION : 1;
}

void snapshot_shape_write(const struct snapshot_shape *s, uint8_t ret_header[SNAPSHOT_HEADER])
{
	struct snapshot_shape copy = *s;
	struct codec c = {.at = ret_header, .end = ret_header + CHECK_AT, .writing = true};
	uint64_t magic = MAGIC;
	uint32_t version = version_of(s), block = SNAPSHOT_BLOCK;

	memset(ret_header, 0, SNAPSHOT_HEADER);
	codec_u64(&c, &magic);
	codec_u32(&c, &version);
	codec_u32(&c, &block);
	shape(&c, &copy);
	BUG_ON(c.failed);
	hash(HASH_HEADER, ret_header, CHECK_AT, ret_header + CHECK_AT);
}

int snapshot_refuse(int error, char *ret_why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(ret_why, SNAPSHOT_WHY_MAX, fmt, args);
	va_end(args);
	return -error;
}

static bool is_text(const char *text, size_t room)
{
	return memchr(text, 0, room);
}

bool snapshot_is_base_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '/')
			return false;
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool base_is_possible(const struct snapshot_shape *s)
{
	return is_text(s->base, sizeof(s->base)) && (!*s->base || snapshot_is_base_name(s->base));
}

/* In this order each sum below is known not to wrap. */
static bool places_add_up(const struct snapshot_shape *s)
{
	if (s->file_size > SNAPSHOT_MEMORY_MAX * 2 || s->state_size > SNAPSHOT_STATE_MAX ||
	    s->nr_runs > s->memory / PAGE_SIZE || s->state_at > s->file_size || s->leaves_at > s->file_size)
		return false;
	if (s->state_at < SNAPSHOT_HEADER || s->state_at % PAGE_SIZE || s->index_at != s->state_at + s->state_size ||
	    s->leaves_at != s->index_at + s->nr_runs * SNAPSHOT_RUN)
		return false;
	return s->file_size == s->leaves_at + snapshot_nr_leaves(s->leaves_at) * SNAPSHOT_HASH;
}

static bool shape_is_possible(const struct snapshot_shape *s)
{
	return s->memory && s->memory % PAGE_2M == 0 && s->memory <= SNAPSHOT_MEMORY_MAX && s->cpus &&
	       s->cpus <= SNAPSHOT_CPUS_MAX && is_text(s->paging, sizeof(s->paging)) &&
	       is_text(s->vendor, sizeof(s->vendor)) && is_text(s->gnomon, sizeof(s->gnomon)) &&
	       is_text(s->kernel, sizeof(s->kernel)) && is_text(s->guest, sizeof(s->guest)) && base_is_possible(s);
}

int snapshot_shape_read(const uint8_t header[SNAPSHOT_HEADER], uint64_t file_size, struct snapshot_shape *ret_shape,
                        char *ret_why)
{
	uint8_t copy[SNAPSHOT_HEADER], check[SNAPSHOT_HASH];
	struct codec c = {.at = copy, .end = copy + CHECK_AT};
	struct snapshot_shape s;
	uint32_t version, block;
	uint64_t magic;

	memcpy(copy, header, sizeof(copy));
	codec_u64(&c, &magic);
	codec_u32(&c, &version);
	codec_u32(&c, &block);
	if (magic != MAGIC)
		return snapshot_refuse(EBADMSG, ret_why, "it is no snapshot");
	if (!version || version > SNAPSHOT_VERSION)
		return snapshot_refuse(EBADMSG, ret_why, "it is of version %u, and this program reads versions 1 to %d",
		                       version, SNAPSHOT_VERSION);
	hash(HASH_HEADER, copy, CHECK_AT, check);
	if (sodium_memcmp(check, copy + CHECK_AT, sizeof(check)) != 0)
		return snapshot_refuse(EBADMSG, ret_why, "its header is damaged");
	shape(&c, &s);
	if (block != SNAPSHOT_BLOCK || !shape_is_possible(&s) || version != version_of(&s) || !places_add_up(&s))
		return snapshot_refuse(EBADMSG, ret_why, "its header describes no machine that can be");
	if (s.file_size != file_size)
		return snapshot_refuse(EBADMSG, ret_why, "it has %llu bytes, and should have %llu: it was %s",
		                       (unsigned long long)file_size, (unsigned long long)s.file_size,
		                       file_size < s.file_size ? "cut off" : "written to behind its end");
	*ret_shape = s;
	return 0;
}

/* --- index --- */

/* Pages of RAM: [0, low_end), and [high_base, high_end) unless that is empty. */
struct ram {
	uint64_t low_end, high_base, high_end;
};

static struct ram ram_of(uint64_t memory)
{
	const uint64_t low = memory < GNOMON_RAM_LOW_END ? memory : GNOMON_RAM_LOW_END;
	const uint64_t base = GNOMON_RAM_HIGH_BASE / PAGE_SIZE;

	return (struct ram){low / PAGE_SIZE, base, base + (memory - low) / PAGE_SIZE};
}

bool snapshot_is_ram(uint64_t memory, uint64_t gfn, uint64_t pages)
{
	const struct ram ram = ram_of(memory);

	if (!pages)
		return false;
	if (gfn < ram.low_end)
		return pages <= ram.low_end - gfn;
	return gfn >= ram.high_base && gfn < ram.high_end && pages <= ram.high_end - gfn;
}

uint64_t snapshot_ram_end(uint64_t memory)
{
	const struct ram ram = ram_of(memory);

	return ram.high_end > ram.high_base ? ram.high_end : ram.low_end;
}

uint64_t snapshot_area_end(uint64_t memory, uint64_t gfn)
{
	const struct ram ram = ram_of(memory);

	if (gfn < ram.low_end)
		return ram.low_end;
	if (gfn < ram.high_base && ram.high_end > ram.high_base)
		return ram.high_base;
	return gfn >= ram.high_base && gfn < ram.high_end ? ram.high_end : UINT64_MAX / PAGE_SIZE;
}

static void run(struct codec *c, struct snapshot_run *r)
{
	codec_u64(c, &r->gfn);
	codec_u32(c, &r->pages);
	codec_u32(c, &r->kind);
	codec_u64(c, &r->at);
	codec_u64(c, &r->size);
}

void snapshot_run_write(const struct snapshot_run *r, uint8_t ret_bytes[SNAPSHOT_RUN])
{
	struct codec c = {.at = ret_bytes, .end = ret_bytes + SNAPSHOT_RUN, .writing = true};
	struct snapshot_run copy = *r;

	run(&c, &copy);
	BUG_ON(c.failed || c.at != c.end);
}

static bool is_stored_well(const struct snapshot_run *r, const struct snapshot_shape *s)
{
	return r->size == r->pages * PAGE_SIZE && r->at % PAGE_SIZE == 0 && r->at >= SNAPSHOT_HEADER &&
	       r->at <= s->state_at && r->size <= s->state_at - r->at;
}

/* Packed means smaller. */
static bool is_packed_well(const struct snapshot_run *r, const struct snapshot_shape *s)
{
	return r->pages <= SNAPSHOT_CHUNK && r->size && r->size < r->pages * PAGE_SIZE && r->at >= SNAPSHOT_HEADER &&
	       r->at <= s->state_at && r->size <= s->state_at - r->at;
}

static bool lies_well(const struct snapshot_run *r, const struct snapshot_shape *s)
{
	switch (r->kind) {
	case SNAPSHOT_STORED:
		return is_stored_well(r, s);
	case SNAPSHOT_PACKED:
		return is_packed_well(r, s);
	case SNAPSHOT_ZERO:
		return *s->base && !r->at && !r->size;
	default:
		return r->kind == SNAPSHOT_ABSENT && !r->at && !r->size;
	}
}

bool snapshot_run_read(const uint8_t bytes[SNAPSHOT_RUN], const struct snapshot_shape *s,
                       const struct snapshot_run *before, struct snapshot_run *ret_run)
{
	uint8_t copy[SNAPSHOT_RUN];
	struct codec c = {.at = copy, .end = copy + sizeof(copy)};
	struct snapshot_run r;

	memcpy(copy, bytes, sizeof(copy));
	run(&c, &r);
	if (!snapshot_is_ram(s->memory, r.gfn, r.pages) || (before && r.gfn < before->gfn + before->pages))
		return false;
	if (!lies_well(&r, s))
		return false;
	*ret_run = r;
	return true;
}
