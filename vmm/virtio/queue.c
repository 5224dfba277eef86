/* SPDX-License-Identifier: MIT */
#include "virtio/queue.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define CHAIN_BYTES_MAX (1ull << 32) /* 2.7.5 */

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EPROTO;
}

static bool power_of_two(unsigned v)
{
	return v && !(v & (v - 1));
}

void virtq_reset(struct virtq *q, const struct virtq_mem *mem)
{
	*q = (struct virtq){.mem = mem};
}

/* `len` bytes at `off` behind `base`; they lie in one page by the rings' alignment. */
static void *at(const struct virtq *q, gpa_t base, uint64_t off, uint64_t len)
{
	return q->mem->ptr(q->mem->ctx, gpa_add(base, off), len);
}

/* Aligned, no wrap, memory in each page. */
static bool is_memory(const struct virtq *q, gpa_t base, uint64_t len, uint64_t align)
{
	if (gpa_raw(base) % align || gpa_raw(base) + len < gpa_raw(base))
		return false;
	for (uint64_t off = 0; off < len;) {
		uint64_t n = PAGE_SIZE - page_offset(gpa_raw(base) + off);

		if (n > len - off)
			n = len - off;
		if (!at(q, base, off, n))
			return false;
		off += n;
	}
	return true;
}

int virtq_enable(struct virtq *q, const char **ret_why)
{
	if (q->size == 0)
		return refuse(ret_why, "a queue was made ready with size 0");
	if (q->size > VIRTQ_SIZE_MAX)
		return refuse(ret_why, "a queue was made larger than QueueNumMax");
	if (!power_of_two(q->size))
		return refuse(ret_why, "a queue's size is not a power of two");
	/* 2.7: alignments and sizes; without an event index the rings end with their last entry. */
	if (!is_memory(q, q->desc, q->size * sizeof(struct virtq_desc), 16))
		return refuse(ret_why, "a queue's descriptor table is misaligned or outside memory");
	if (!is_memory(q, q->driver, sizeof(struct virtq_avail) + q->size * sizeof(uint16_t), 2))
		return refuse(ret_why, "a queue's available ring is misaligned or outside memory");
	if (!is_memory(q, q->device, sizeof(struct virtq_used) + q->size * sizeof(struct virtq_used_elem), 4))
		return refuse(ret_why, "a queue's used ring is misaligned or outside memory");
	q->last_avail = q->used_idx = 0;
	q->ready = true;
	return 0;
}

/* Adds one descriptor to the chain. 0 or -EPROTO. */
static int add_buffer(struct virtq_chain *chain, const struct virtq_desc *d, const char **ret_why)
{
	const int nr = chain->nr_in + chain->nr_out;

	if (d->flags & VIRTQ_DESC_INDIRECT)
		return refuse(ret_why, "a descriptor is indirect, which was not offered");
	if (d->addr + d->len < d->addr)
		return refuse(ret_why, "a descriptor's buffer wraps around the end of the address space");
	if (chain->in_len + chain->out_len + d->len > CHAIN_BYTES_MAX)
		return refuse(ret_why, "a descriptor chain holds more than 4 GiB");
	if (d->flags & VIRTQ_DESC_WRITE) {
		chain->nr_out++;
		chain->out_len += d->len;
	} else if (chain->nr_out) {
		return refuse(ret_why, "a descriptor to read from follows one to write to");
	} else {
		chain->nr_in++;
		chain->in_len += d->len;
	}
	chain->buffer[nr] = (struct virtq_buffer){gpa_init(d->addr), d->len};
	return 0;
}

static int read_chain(const struct virtq *q, struct virtq_chain *chain, const char **ret_why)
{
	uint16_t i = chain->head;

	chain->nr_in = chain->nr_out = 0;
	chain->in_len = chain->out_len = 0;
	for (int n = 0; n < q->size; n++) {
		const uint64_t *p = at(q, q->desc, i * sizeof(struct virtq_desc), sizeof(struct virtq_desc));
		uint64_t words[2];
		struct virtq_desc d;
		int r;

		if (!p)
			return refuse(ret_why, "a queue's descriptor table is no longer memory");
		/* Each word once: the guest may change it while we look. */
		words[0] = __atomic_load_n(&p[0], __ATOMIC_RELAXED);
		words[1] = __atomic_load_n(&p[1], __ATOMIC_RELAXED);
		memcpy(&d, words, sizeof(d));
		r = add_buffer(chain, &d, ret_why);
		if (r < 0 || !(d.flags & VIRTQ_DESC_NEXT))
			return r;
		if (d.next >= q->size)
			return refuse(ret_why, "a descriptor's successor lies outside the table");
		i = d.next;
	}
	return refuse(ret_why, "a descriptor chain is longer than its queue: it loops");
}

int virtq_pop(struct virtq *q, struct virtq_chain *ret_chain, const char **ret_why)
{
	const uint16_t *idx = at(q, q->driver, offsetof(struct virtq_avail, idx), sizeof(*idx));
	const uint16_t *entry =
	    at(q, q->driver, sizeof(struct virtq_avail) + q->last_avail % q->size * sizeof(*entry), sizeof(*entry));
	uint16_t waiting;
	int r;

	if (!idx || !entry)
		return refuse(ret_why, "a queue's available ring is no longer memory");
	waiting = __atomic_load_n(idx, __ATOMIC_ACQUIRE) - q->last_avail;
	if (waiting == 0)
		return 0;
	if (waiting > q->size)
		return refuse(ret_why, "a queue's available index jumped by more than its size");
	ret_chain->head = __atomic_load_n(entry, __ATOMIC_RELAXED);
	if (ret_chain->head >= q->size)
		return refuse(ret_why, "an available descriptor lies outside the table");
	r = read_chain(q, ret_chain, ret_why);
	if (r < 0)
		return r;
	q->last_avail++;
	return 1;
}

static void stored(const struct virtq *q, uint64_t off, unsigned len)
{
	if (q->mem->watch)
		q->mem->watch->stored(q->mem->ctx, gpa_add(q->device, off), len);
}

int virtq_push(struct virtq *q, uint16_t head, uint32_t written, const char **ret_why)
{
	const uint64_t off = sizeof(struct virtq_used) + q->used_idx % q->size * sizeof(struct virtq_used_elem);
	/* An element is aligned to 4 only, so that its halves may lie in two pages. */
	uint32_t *id = at(q, q->device, off, sizeof(*id));
	uint32_t *len = at(q, q->device, off + sizeof(*id), sizeof(*len));
	uint16_t *idx = at(q, q->device, offsetof(struct virtq_used, idx), sizeof(*idx));

	if (!id || !len || !idx)
		return refuse(ret_why, "a queue's used ring is no longer memory");
	__atomic_store_n(id, head, __ATOMIC_RELAXED);
	__atomic_store_n(len, written, __ATOMIC_RELAXED);
	__atomic_store_n(idx, ++q->used_idx, __ATOMIC_RELEASE);
	stored(q, off, sizeof(*id));
	stored(q, off + sizeof(*id), sizeof(*len));
	stored(q, offsetof(struct virtq_used, idx), sizeof(*idx));
	return 0;
}

bool virtq_wants_interrupt(const struct virtq *q)
{
	const uint16_t *flags = at(q, q->driver, offsetof(struct virtq_avail, flags), sizeof(*flags));

	/* 2.7.10: used.idx must be visible before the flag is looked at. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !flags || !(__atomic_load_n(flags, __ATOMIC_RELAXED) & VIRTQ_AVAIL_NO_INTERRUPT);
}

int virtq_copy_in(const struct virtq *q, const struct virtq_chain *chain, void *to, uint64_t len, const char **ret_why)
{
	uint8_t *p = to;

	BUG_ON(len > chain->in_len);
	for (const struct virtq_buffer *b = chain->buffer; len; b++) {
		for (uint64_t off = 0; len && off < b->len;) {
			uint64_t n = PAGE_SIZE - page_offset(gpa_raw(b->at) + off);
			const void *from;

			if (n > b->len - off)
				n = b->len - off;
			if (n > len)
				n = len;
			from = at(q, b->at, off, n);
			if (!from)
				return refuse(ret_why, "a descriptor's buffer lies outside memory");
			memcpy(p, from, n);
			p += n;
			off += n;
			len -= n;
		}
	}
	return 0;
}
