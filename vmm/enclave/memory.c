/* SPDX-License-Identifier: MIT */
/* Secure memory: runs of frames for enclaves, and what becomes of a frame that nobody has any more. */
#include <sodium.h>

#include "enclave/internal.h"

/* The enclave whose run overlaps [at, at + size). */
static const struct enclave *who_has(const struct enclaves *all, uint64_t at, uint64_t size)
{
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++) {
		const struct enclave *e = all->enclave[id];

		if (e && maddr_raw(e->memory) < at + size && at < maddr_raw(e->memory) + enclave_run_size(e))
			return e;
	}
	return NULL;
}

static bool find_run(const struct enclaves *all, uint64_t size, uint64_t boundary, maddr_t *ret_at)
{
	uint64_t at = 0;
	const struct enclave *e;

	while (at <= all->config.size && size <= all->config.size - at) {
		e = who_has(all, at, size);
		if (!e) {
			*ret_at = maddr_init(at);
			return true;
		}
		at = round_up(maddr_raw(e->memory) + enclave_run_size(e), boundary);
	}
	return false;
}

bool enclave_find_run(const struct enclaves *all, uint64_t size, maddr_t *ret_at)
{
	return (size >= PAGE_2M && find_run(all, size, PAGE_2M, ret_at)) || find_run(all, size, PAGE_SIZE, ret_at);
}

static bool discard(const struct enclaves *all, maddr_t at, uint64_t size)
{
	return all->config.discard && all->config.discard(all->config.ctx, at, size);
}

void enclave_free_frame(struct enclaves *all, maddr_t at)
{
	enclave_stage_release(&all->stage, at, PAGE_SIZE);
	if (!discard(all, at, PAGE_SIZE))
		sodium_memzero(enclave_memory(all, at), PAGE_SIZE);
}

/* Only what was written is erased: the host has never provided the rest. */
void enclave_free_run(struct enclave *e)
{
	const struct enclaves *all = e->all;
	const bool gone = discard(all, e->memory, enclave_run_size(e));

	enclave_stage_release(&e->all->stage, e->memory, enclave_run_size(e));
	for (uint64_t n = 0; !gone && n < e->nr_pages + e->nr_tables; n++)
		if (n < e->nr_pages ? e->page[n].added : n - e->nr_pages < e->tables_used)
			sodium_memzero(enclave_memory(all, maddr_add(e->memory, n * PAGE_SIZE)), PAGE_SIZE);
}
