/* SPDX-License-Identifier: MIT */
#include "vm/withdraw.h"

#include "base/backoff.h"

/* Bytes of a slice, on average: with less two threads are slower than one (docs/reclaim.md has the figures). */
#define WORTH_SHARING (1ull << 20)

enum withdrawal_phase {
	NONE,
	AWAITED,
	OPEN,
};

void withdrawal_init(struct withdrawal *w, struct guest_mem *mem)
{
	*w = (struct withdrawal){.mem = mem};
	pthread_mutex_init(&w->lock, NULL);
}

void withdrawal_destroy(struct withdrawal *w)
{
	pthread_mutex_destroy(&w->lock);
}

void withdrawal_announce(struct withdrawal *w, const struct stage2_slice *slice, unsigned n)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += slice[i].size;
	if (size > PAGE_2M && size / n >= WORTH_SHARING)
		atomic_store(&w->phase, AWAITED);
}

/* The next piece, no further than the next multiple of 2 MiB, or of a larger host page. False: none is left. */
static bool take_part(struct withdrawal *w, maddr_t *ret_at, uint64_t *ret_size)
{
	const uint64_t page = guest_mem_host_page(w->mem), part = page > PAGE_2M ? page : PAGE_2M;
	bool left;

	pthread_mutex_lock(&w->lock);
	left = w->n;
	if (left) {
		const uint64_t rest = w->slice->size - w->begun;

		*ret_at = maddr_add(w->slice->maddr, w->begun);
		*ret_size = part - maddr_raw(*ret_at) % part;
		*ret_size = rest < *ret_size ? rest : *ret_size;
		w->begun += *ret_size;
		w->busy++;
		if (w->begun == w->slice->size) {
			w->slice++;
			w->n--;
			w->begun = 0;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return left;
}

static void work(struct withdrawal *w)
{
	uint64_t size;
	maddr_t at;

	while (take_part(w, &at, &size)) {
		const int r = guest_mem_withdraw(w->mem, at, size);

		pthread_mutex_lock(&w->lock);
		w->busy--;
		if (r < 0 && w->r == 0)
			w->r = r;
		if (r < 0)
			w->n = 0;
		pthread_mutex_unlock(&w->lock);
	}
}

static bool is_busy(struct withdrawal *w)
{
	bool busy;

	pthread_mutex_lock(&w->lock);
	busy = w->busy;
	pthread_mutex_unlock(&w->lock);
	return busy;
}

int withdrawal_run(struct withdrawal *w, const struct stage2_slice *slice, unsigned n)
{
	unsigned tries = 0;

	pthread_mutex_lock(&w->lock);
	w->slice = slice;
	w->n = n;
	w->begun = 0;
	w->r = 0;
	pthread_mutex_unlock(&w->lock);
	if (atomic_load(&w->phase) == AWAITED)
		atomic_store(&w->phase, OPEN);
	work(w);
	atomic_store(&w->phase, NONE);
	while (is_busy(w))
		backoff(&tries);
	return w->r;
}

void withdrawal_help(struct withdrawal *w)
{
	unsigned tries = 0;

	while (atomic_load(&w->phase) == AWAITED)
		backoff(&tries);
	if (atomic_load(&w->phase) == OPEN)
		work(w);
}
