/* SPDX-License-Identifier: MIT */
/*
 * Pages for second-stage tables. An entry names a table by its offset in one stretch of address space, so that a lookup
 * needs no search and no entry holds a pointer. The stretch has room for every page of the
 * guest mapped by 4 KiB and costs memory only where a table was.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "stage2/stage2.h"

int stage2_tables_init(struct stage2_tables *t, unsigned nr)
{
	void *pages =
	    mmap(NULL, nr * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct pt_table *table = calloc(nr, sizeof(*table));

	if (pages == MAP_FAILED || !table) {
		if (pages != MAP_FAILED)
			munmap(pages, nr * PAGE_SIZE);
		free(table);
		return -ENOMEM;
	}
	*t = (struct stage2_tables){.pages = pages, .table = table, .nr = nr};
	return 0;
}

void stage2_tables_destroy(struct stage2_tables *t)
{
	if (t->pages)
		munmap(t->pages, t->nr * PAGE_SIZE);
	free(t->table);
	*t = (struct stage2_tables){0};
}

/* A lookup may still be in the page: if it sees these stores it sees `reuses` moved, too, and starts again. */
static void clear(uint64_t *entry)
{
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*entry); i++)
		__atomic_store_n(&entry[i], 0, __ATOMIC_RELEASE);
}

static struct pt_table *table_alloc(void *ctx)
{
	struct stage2_tables *t = ctx;
	struct pt_table *table = t->free;
	unsigned n = t->next_fresh;

	if (table) {
		t->free = table->next;
		clear(table->entry);
		return table;
	}
	if (n == t->nr)
		return NULL;
	t->next_fresh++;
	table = &t->table[n];
	table->address = n * PAGE_SIZE;
	table->entry = (uint64_t *)(void *)(t->pages + table->address);
	return table;
}

static void table_free(void *ctx, struct pt_table *table)
{
	struct stage2_tables *t = ctx;

	/* Before the page can be used again, lookups that may be in it are told. */
	atomic_fetch_add(&t->reuses, 1);
	table->next = t->free;
	t->free = table;
}

static struct pt_table *table_find(void *ctx, uint64_t address)
{
	const struct stage2_tables *t = ctx;
	const uint64_t n = address / PAGE_SIZE;

	return address % PAGE_SIZE == 0 && n < t->next_fresh ? &t->table[n] : NULL;
}

const struct pt_ops stage2_table_ops = {.alloc = table_alloc, .free = table_free, .find = table_find};
