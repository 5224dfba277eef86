/* SPDX-License-Identifier: MIT */
/*
 * How long the walks are: of the guest's own tables, 16 MiB by 4 KiB pages, and of the enclave of enclave.c's ring, as
 * the VMM counts them: in each reading and with each size of check cache.
 */
#include <gnomon/abi.h>
#include <gnomon/enclave.h>

#include "cost.h"
#include "enclave.h"

#define OUTSIDE (COST_REGION + 8 * (uint64_t)COST_TABLE_LEN) /* behind the ring */

static void call(uint16_t port, void *at)
{
	__asm__ volatile("outl %%eax, %%dx" : : "a"((uint32_t)(uint64_t)at), "d"(port) : "memory");
}

static void count_outside(void)
{
	static struct gnomon_walks w __attribute__((aligned(64)));
	char text[192], *p;

	w = (struct gnomon_walks){
	    .version = GNOMON_ABI_VERSION, .first = OUTSIDE, .bytes = 8 * (uint64_t)COST_TABLE_LEN};
	call(GNOMON_PORT_WALKS, &w);
	p = cost_put_number(text, "walks pages=", w.pages);
	p = cost_put_number(p, " low=", w.low);
	p = cost_put_number(p, " high=", w.high);
	p = cost_put_number(p, " sum_low=", w.sum_low);
	p = cost_put_number(p, " sum_high=", w.sum_high);
	*p++ = '\n';
	*p = 0;
	cost_say(text);
}

static bool count_inside(uint32_t second, uint32_t every, uint32_t cache, uint32_t most)
{
	static struct gnomon_enclave_walks w __attribute__((aligned(128)));
	char text[400], *p;

	w = (struct gnomon_enclave_walks){
	    .version = GNOMON_ENCLAVE_VERSION, .id = 1, .every = every, .cache = cache, .second = second, .most = most};
	call(GNOMON_PORT_ENCLAVE_WALKS, &w);
	p = cost_put_number(text, "enclave second=", second);
	p = cost_put_number(p, " every=", every);
	p = cost_put_number(p, " cache=", cache);
	p = cost_put_number(p, " pages=", w.pages);
	p = cost_put_number(p, " low=", w.low);
	p = cost_put_number(p, " high=", w.high);
	p = cost_put_number(p, " sum=", w.sum);
	p = cost_put_number(p, " walked=", w.walked);
	p = cost_put_number(p, " checks=", w.checks);
	p = cost_put_number(p, " hits=", w.hits);
	*p++ = '\n';
	*p = 0;
	cost_say(text);
	return w.status == GNOMON_ENCLAVE_OK;
}

bool check_enclave_walks(uint32_t n)
{
	static const uint32_t sweeps[] = {ENCLAVE_SWEEP, 0}, caches[] = {0, 16, 64, 256};
	bool good = check_enclave(n);

	for (uint32_t kind = 0; good && kind < 3; kind++) /* no second stage; with one: once, every */
		for (uint32_t i = 0; i < 8; i++)
			good &= count_inside(kind ? 4 : 0, kind == 2, caches[i % 4], sweeps[i / 4]);
	count_outside();
	return good;
}
