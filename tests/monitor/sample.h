/* SPDX-License-Identifier: MIT */
/* The enclave of sample.S: one page of code, and what it can be told to do. */
#ifndef GNOMON_TESTS_MONITOR_SAMPLE_H
#define GNOMON_TESTS_MONITOR_SAMPLE_H

enum sample {
	SAMPLE_SUM,
	SAMPLE_ASK,
	SAMPLE_PEEK,
	SAMPLE_POKE,
	SAMPLE_SPIN,
	SAMPLE_COPY,
	SAMPLE_PRIVILEGED,
	SAMPLE_COUNT,
	SAMPLE_FLAGS,
	SAMPLE_FS,
	SAMPLE_SEGMENTS
};

extern const char sample[], sample_end[];

#endif
