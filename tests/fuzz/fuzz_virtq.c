/* SPDX-License-Identifier: MIT */
/*
 * Any rings, any descriptors, changed between the steps. The queue reads and writes guest memory only through its
 * accessor (which checks what it is asked for; the sanitizer watches the rest), ends, gives chains whose lengths add
 * up, and after an error nothing has moved.
 *
 * Input: a header, then steps; each writes one word somewhere near the rings, then pops, copies or pushes.
 */
#include "virtq_driver.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vd vd;

static void require(bool condition)
{
	if (!condition)
		abort();
}

struct header {
	uint16_t size;
	uint8_t kind[3]; /* where each ring lies: usual place, or `address` */
	uint64_t address[3];
} __attribute__((packed));

struct step {
	uint8_t what;
	uint16_t off; /* of the word written, from VD_DESC on, in steps of 2 */
	uint64_t word;
} __attribute__((packed));

static void check_chain(const struct virtq *q, const struct virtq_chain *c)
{
	uint64_t in = 0, out = 0;

	require(c->head < q->size && c->nr_in + c->nr_out >= 1 && c->nr_in + c->nr_out <= q->size);
	for (int i = 0; i < c->nr_in + c->nr_out; i++) {
		require(gpa_raw(c->buffer[i].at) + c->buffer[i].len >= gpa_raw(c->buffer[i].at));
		*(i < c->nr_in ? &in : &out) += c->buffer[i].len;
	}
	require(in == c->in_len && out == c->out_len && in + out <= 1ull << 32); /* 2.7.5 */
}

static void pop(struct virtq *q)
{
	static uint8_t copy[8192];
	const uint16_t before = q->last_avail;
	struct virtq_chain chain;
	const char *why = NULL;
	int r = virtq_pop(q, &chain, &why);

	require(q->last_avail == (uint16_t)(before + (r == 1)));
	require((r < 0) == (why != NULL));
	if (r != 1)
		return;
	check_chain(q, &chain);
	if (virtq_copy_in(q, &chain, copy, chain.in_len < sizeof(copy) ? chain.in_len : sizeof(copy), &why) < 0)
		require(why != NULL);
	if (virtq_push(q, chain.head, 1, &why) == 0)
		require(vd_ptr(&vd, gpa_add(q->device, 2), 2));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	vd_init(&vd);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const gpa_t usual[3] = {gpa_init(VD_DESC), gpa_init(VD_AVAIL), gpa_init(VD_USED)};
	const char *why = NULL;
	struct header h;
	struct virtq q;
	struct step s;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	memset(vd.bytes + VD_DESC, 0, VD_RINGS);
	virtq_reset(&q, &vd.mem);
	q.size = h.size;
	q.desc = h.kind[0] & 1 ? gpa_init(h.address[0]) : usual[0];
	q.driver = h.kind[1] & 1 ? gpa_init(h.address[1]) : usual[1];
	q.device = h.kind[2] & 1 ? gpa_init(h.address[2]) : usual[2];
	if (virtq_enable(&q, &why) < 0) {
		require(why && !q.ready);
		return 0;
	}
	for (data += sizeof(h), size -= sizeof(h); size >= sizeof(s); data += sizeof(s), size -= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		memcpy(vd.bytes + VD_DESC + s.off % (VD_RINGS / 2) * 2, &s.word, s.what & 1 ? 8 : 2);
		if (s.what & 2)
			pop(&q);
		if (s.what & 4)
			vd_avail(&vd, 0)->idx = q.last_avail + (s.what >> 4);
		(void)virtq_wants_interrupt(&q);
	}
	return 0;
}
