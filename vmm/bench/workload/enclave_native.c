/* SPDX-License-Identifier: MIT */
/* What is below an enclave that is built: BLAKE2b of its pages; and the rules, without a guest, a KVM or a monitor. */
#include <gnomon/addr.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../guest/chase_core.h"
#include "bench/workload/enclave.h"
#include "bench/workload/op_native.h"
#include "enclave/enclave.h"
#include "monitor/secure.h"

#define BASE    0x10000000ull
#define BLOCKS  GNOMON_ENCLAVE_MAX /* an enclave each */
#define TABLES  64                 /* pages of stage-1 tables beside those for 2 MiB each, for one enclave */
#define BUFFERS (1ull << 40)
#define LEVELS  2 /* as `gnomon run` has it by default */

static uint8_t *map(uint64_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool hash(const uint8_t *content, uint32_t pages)
{
	static uint8_t all[GNOMON_ENCLAVE_MEASUREMENT];
	uint8_t one[GNOMON_ENCLAVE_MEASUREMENT];

	for (uint32_t i = 0; i < pages; i++) {
		if (crypto_generichash(one, sizeof(one), content + i * PAGE_SIZE, PAGE_SIZE, NULL, 0) != 0)
			return false;
		for (size_t n = 0; n < sizeof(one); n++)
			all[n] ^= one[n];
	}
	return true;
}

static bool build(struct enclaves *all, unsigned id, const uint8_t *content, uint32_t pages)
{
	const struct gnomon_enclave_create create = {
	    .base = BASE, .size = pages * PAGE_SIZE, .entry = BASE, .stack = BASE + pages * PAGE_SIZE};
	bool good = enclave_create(all, id, &create) == GNOMON_ENCLAVE_OK;

	for (uint32_t i = 0, nr; good && i < pages; i += nr) {
		struct enclave_batch b = {.va = BASE + i * PAGE_SIZE, .flags = GNOMON_ENCLAVE_MEASURE};

		/* The first page is code. */
		nr = i == 0 ? 1 : pages - i < GNOMON_ENCLAVE_ADD_MAX ? pages - i : GNOMON_ENCLAVE_ADD_MAX;
		b.pages = nr;
		b.rights = GNOMON_ENCLAVE_R | (i ? GNOMON_ENCLAVE_W : GNOMON_ENCLAVE_X);
		good = enclave_add_batch(all, id, &b, content + i * PAGE_SIZE) == GNOMON_ENCLAVE_OK;
	}
	return good && enclave_init(all, id, NULL) == GNOMON_ENCLAVE_OK;
}

int enclave_native(const void *native)
{
	const struct op_native *n = native;
	const struct op_request *q = n->request;
	const uint32_t pages = q->ops / q->blocks;
	const uint64_t secure = q->ops * PAGE_SIZE + (TABLES + pages / 512) * q->blocks * PAGE_SIZE +
	                        q->blocks * PAGE_2M; /* what boundaries take */
	const bool rules = strstr(q->row, "rules");
	uint64_t tsc[BLOCKS], floor_tsc[BLOCKS];
	struct enclaves *all = NULL;
	uint8_t *content = map(q->ops * PAGE_SIZE), *memory = secure_map(secure);

	BUG_ON(q->blocks > BLOCKS);
	if (!content || !memory || sodium_init() < 0)
		return 1;
	for (uint64_t i = 0; i < q->ops; i++)
		memset(content + i * PAGE_SIZE, (int)i, PAGE_SIZE);
	if (rules)
		all = enclaves_create(&(struct enclaves_config){.memory = memory,
		                                                .size = secure,
		                                                .levels = LEVELS,
		                                                .buffers = maddr_init(BUFFERS),
		                                                .claim = secure_claim,
		                                                .populate = secure_populate,
		                                                .ctx = memory});
	if (rules && !all)
		return 1;
	for (uint32_t b = 0; b < q->blocks; b++) {
		const uint8_t *from = content + b * pages * PAGE_SIZE;
		uint64_t begin;

		floor_tsc[b] = op_native_floors();
		begin = chase_tsc();
		if (!(rules ? build(all, b + 1, from, pages) : hash(from, pages)))
			return 1;
		tsc[b] = chase_tsc() - begin;
	}
	op_native_print(q, tsc, floor_tsc);
	return 0;
}
