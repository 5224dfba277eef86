/* SPDX-License-Identifier: MIT */
/* All enclaves of a VM: their beginning and end, and what can be seen of one. */
#include "enclave/internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static bool is_usable(const struct enclaves_config *c)
{
	return c->size && page_offset(c->size) == 0 && page_offset(maddr_raw(c->buffers)) == 0 &&
	       maddr_raw(c->buffers) >= c->size;
}

struct enclaves *enclaves_create(const struct enclaves_config *config)
{
	struct enclaves *all;
	int r = 0;

	if (!is_usable(config) || sodium_init() < 0) {
		errno = EINVAL;
		return NULL;
	}
	all = calloc(1, sizeof(*all));
	if (!all)
		return NULL;
	all->config = *config;
	all->fixed = calloc(config->nr_fixed + 1, sizeof(*all->fixed));
	if (all->fixed && config->nr_fixed)
		memcpy(all->fixed, config->fixed, config->nr_fixed * sizeof(*all->fixed));
	r = all->fixed ? enclave_stage_init(&all->stage, config->size / PAGE_SIZE, config->levels) : -ENOMEM;
	if (r == 0)
		return all;
	free(all->fixed);
	free(all);
	errno = -r;
	return NULL;
}

/* An enclave that runs when all ends is stopped by whoever runs it: it can be destroyed then. */
void enclaves_destroy(struct enclaves *all)
{
	if (!all)
		return;
	for (unsigned id = 1; id <= GNOMON_ENCLAVE_MAX; id++) {
		if (!all->enclave[id])
			continue;
		if (all->enclave[id]->state == ENCLAVE_RUNNING)
			all->enclave[id]->state = ENCLAVE_INTERRUPTED;
		BUG_ON(enclave_destroy(all, id) != GNOMON_ENCLAVE_OK);
	}
	enclave_stage_destroy(&all->stage);
	free(all->fixed);
	free(all);
}

bool enclave_look(const struct enclaves *all, unsigned id, struct enclave_info *ret)
{
	const struct enclave *e = id && id <= GNOMON_ENCLAVE_MAX ? all->enclave[id] : NULL;

	if (!e)
		return false;
	*ret = (struct enclave_info){
	    .state = e->state,
	    .create = e->create,
	    .pages = e->nr_added,
	    .tables = e->tables_used,
	    .entries = e->entries,
	    .memory = e->memory,
	    .size = enclave_run_size(e),
	    .root = maddr_init(e->view.root ? e->view.root->address : 0),
	    .buffer = enclave_buffer(e),
	};
	memcpy(ret->exits, e->exits, sizeof(ret->exits));
	memcpy(ret->measurement, e->measurement, sizeof(ret->measurement));
	return true;
}

struct enclave_stage *enclave_stage(struct enclaves *all)
{
	return &all->stage;
}
