/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of the balloon, for the suite `balloon`: a device without a worker (the tests step by themselves)
 * in front of ops that record what they were asked to do. Each test starts with a device that is driven with ALL.
 */
#ifndef TESTS_UNIT_BALLOON_DRIVER_H
#define TESTS_UNIT_BALLOON_DRIVER_H

#include "virtio/balloon.h"
#include "virtq_driver.h"

#define SIZE      8
#define RAM_LOW   (16ull << 20)
#define HIGH_BASE 0x100000000ull
#define RAM_HIGH  (4ull << 20)
#define IMAGE     0x200000ull /* one 2 MiB page that may not be given away */
#define PFNS      0x20000ull  /* where the tests put requests */
#define ALL       (VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_STATS_VQ | VIRTIO_BALLOON_F_REPORTING)

extern struct vd vd;
extern struct balloon balloon;
extern const struct balloon_ops ops;
extern struct counters counters;
extern int interrupts;
extern int reclaim_fails;            /* the how many-th call of the reclaim op from now fails; 0: none */
extern int release_fails;            /* the how many-th run of the release op from now does; 0: none */
extern unsigned last_runs;           /* of the last call of the reclaim op */
extern void (*during_reclaim)(void); /* unless NULL, called within each call of it */

/* Counts in `interrupts`. */
void on_interrupt(void *ctx);

/* Adds a call to what expect() compares: page numbers, hexadecimal. */
void note(const char *what, gpa_t at, uint64_t size);

/* A 32-bit register. put(): whether the write meant anything. */
uint32_t get(uint64_t off);
bool put(uint64_t off, uint32_t v);

/* From reset to DRIVER_OK with these features and four empty queues. */
void drive(uint64_t features);

/* All there is for the worker to do. */
void serve(void);

/* One buffer in descriptor 0 of the queue, and the notification; not served. */
void give(int queue, uint64_t at, uint32_t len, uint16_t flags);

/* One request of these PFNs, served. */
void pages(int queue, const uint32_t *pfns, uint32_t n);
#define inflate(...)                                                                                                   \
	pages(VIRTIO_BALLOON_QUEUE_INFLATE, (const uint32_t[]){__VA_ARGS__},                                           \
	      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define deflate(...)                                                                                                   \
	pages(VIRTIO_BALLOON_QUEUE_DEFLATE, (const uint32_t[]){__VA_ARGS__},                                           \
	      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Exactly these calls since the last time. */
void expect(const char *want);

/* The device stands still until a reset, for a reason that holds `words`. */
void failed(const char *words);

/* Pages in the balloon. */
uint64_t ballooned(void);

#endif
