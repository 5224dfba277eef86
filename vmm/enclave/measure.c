/* SPDX-License-Identifier: MIT */
/*
 * The measurement: the root of a Merkle tree over the pages that were added, in the order of their addresses, whatever
 * the order of the calls. BLAKE2b-256 (RFC 7693). The first byte of what is hashed says what it is, so that no leaf can
 * pass for a node. Numbers are 64-bit little-endian.
 *
 *   leaf  = H(0, address, rights, 0)             ADD alone; hashed at INIT
 *           H(0, address, rights, 1, content)    and EXTEND
 *   node  = H(1, left, right)                    an odd one goes up as it is
 *   root  = H(2, base, size, entry, stack, buffer, buffer size, flags, number of pages, top node)
 */
#include <sodium.h>
#include <string.h>

#include "enclave/internal.h"

enum kind { LEAF, NODE, ROOT };

#define DEPTH 40 /* more than the logarithm of any number of pages */

static void begin(crypto_generichash_state *h, uint8_t kind)
{
	BUG_ON(crypto_generichash_init(h, NULL, 0, ENCLAVE_HASH) != 0);
	BUG_ON(crypto_generichash_update(h, &kind, 1) != 0);
}

static void add(crypto_generichash_state *h, const void *data, size_t size)
{
	BUG_ON(crypto_generichash_update(h, data, size) != 0);
}

static void add_number(crypto_generichash_state *h, uint64_t n)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = n >> 8 * i;
	add(h, bytes, sizeof(bytes));
}

static void end(crypto_generichash_state *h, uint8_t ret[ENCLAVE_HASH])
{
	BUG_ON(crypto_generichash_final(h, ret, ENCLAVE_HASH) != 0);
}

/* PT_R, PT_W and PT_X are the engine's; what is measured is the ABI's. */
static uint64_t abi_rights(pt_attrs_t rights)
{
	return (rights & PT_R ? GNOMON_ENCLAVE_R : 0) | (rights & PT_W ? GNOMON_ENCLAVE_W : 0) |
	       (rights & PT_X ? GNOMON_ENCLAVE_X : 0);
}

void enclave_measure_page(uint64_t va, pt_attrs_t rights, const void *content, uint8_t ret_leaf[ENCLAVE_HASH])
{
	crypto_generichash_state h;

	begin(&h, LEAF);
	add_number(&h, va);
	add_number(&h, abi_rights(rights));
	add_number(&h, content ? 1 : 0);
	if (content)
		add(&h, content, PAGE_SIZE);
	end(&h, ret_leaf);
}

static void node(const uint8_t *left, const uint8_t *right, uint8_t ret[ENCLAVE_HASH])
{
	crypto_generichash_state h;

	begin(&h, NODE);
	add(&h, left, ENCLAVE_HASH);
	add(&h, right, ENCLAVE_HASH);
	end(&h, ret);
}

/*
 * The tree grows leaf by leaf as a binary counter does: full[d] is a subtree of 2^d leaves that waits for its right
 * neighbour, and there is one if bit d of the number of leaves is set.
 */
struct tree {
	uint8_t full[DEPTH][ENCLAVE_HASH];
	uint64_t leaves;
};

static void tree_add(struct tree *t, const uint8_t *leaf)
{
	uint8_t top[ENCLAVE_HASH];
	int d = 0;

	memcpy(top, leaf, sizeof(top));
	for (; t->leaves >> d & 1; d++)
		node(t->full[d], top, top);
	memcpy(t->full[d], top, sizeof(top));
	t->leaves++;
}

static void tree_end(const struct tree *t, uint8_t ret[ENCLAVE_HASH])
{
	bool any = false;

	memset(ret, 0, ENCLAVE_HASH);
	for (int d = 0; d < DEPTH; d++) {
		if (!(t->leaves >> d & 1))
			continue;
		if (any)
			node(t->full[d], ret, ret);
		else
			memcpy(ret, t->full[d], ENCLAVE_HASH);
		any = true;
	}
}

void enclave_measure_later(struct enclave *e, uint64_t va)
{
	struct enclave_page *page = enclave_page_at(e, va);

	if (e->nr_due == ENCLAVE_DUE_MAX)
		(void)enclave_measure_due(e);
	e->due[(e->first_due + e->nr_due++) % ENCLAVE_DUE_MAX] = (va - e->create.base) / PAGE_SIZE;
	page->measured = page->due = true;
}

bool enclave_measure_due(struct enclave *e)
{
	while (e->nr_due) {
		const uint64_t n = e->due[e->first_due];
		struct enclave_page *page = &e->page[n];
		const uint64_t va = e->create.base + n * PAGE_SIZE;

		e->first_due = (e->first_due + 1) % ENCLAVE_DUE_MAX;
		e->nr_due--;
		if (!page->due)
			continue; /* removed since, or hashed at the place of an earlier ADD */
		enclave_measure_page(va, page->rights, enclave_memory(e->all, enclave_frame_of(e, va)), page->leaf);
		page->due = false;
		return true;
	}
	return false;
}

bool enclaves_measure_due(struct enclaves *all)
{
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++)
		if (all->enclave[id] && enclave_measure_due(all->enclave[id]))
			return true;
	return false;
}

void enclave_measure(const struct enclave *e, uint8_t ret_measurement[ENCLAVE_HASH])
{
	const struct gnomon_enclave_create *c = &e->create;
	const uint64_t numbers[] = {c->base,   c->size,        c->entry, c->stack,
	                            c->buffer, c->buffer_size, c->flags, e->nr_added};
	struct tree tree = {.leaves = 0};
	crypto_generichash_state h;
	uint8_t leaf[ENCLAVE_HASH], top[ENCLAVE_HASH];

	for (uint64_t n = 0; n < e->nr_pages; n++) {
		const struct enclave_page *page = &e->page[n];

		if (!page->added)
			continue;
		if (!page->measured)
			enclave_measure_page(c->base + n * PAGE_SIZE, page->rights, NULL, leaf);
		tree_add(&tree, page->measured ? page->leaf : leaf);
	}
	tree_end(&tree, top);
	begin(&h, ROOT);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		add_number(&h, numbers[i]);
	add(&h, top, sizeof(top));
	end(&h, ret_measurement);
}
