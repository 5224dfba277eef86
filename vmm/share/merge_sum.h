/* SPDX-License-Identifier: MIT */
/* What became of pages that were to be merged (share/merge.h): for the VMM, the control socket and `gnomon dedup`. */
#ifndef GNOMON_SHARE_MERGE_SUM_H
#define GNOMON_SHARE_MERGE_SUM_H

#include <stdint.h>

/* Pages. */
struct merge_sum {
	uint64_t given;  /* written to the store */
	uint64_t merged; /* the store's page is in their place */
	uint64_t freed;  /* of them, those that cost the host a page before */
	uint64_t differ; /* from the store */
	uint64_t absent; /* not mapped, or an enclave's */
	uint64_t zero;   /* all zero, and the host has them back */
	uint64_t full;   /* no mapping was left for them */
};

#endif
