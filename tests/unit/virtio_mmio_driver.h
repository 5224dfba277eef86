/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of virtio-mmio, for the suite `virtio_mmio`: a device without a purpose that counts what it is
 * told, and a driver that negotiates as it should unless a test does otherwise. Each test starts with a fresh device.
 */
#ifndef TESTS_UNIT_VIRTIO_MMIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_MMIO_DRIVER_H

#include "virtio/mmio.h"
#include "virtq_driver.h"

#define FEATURE_A 1ull         /* required */
#define FEATURE_B (1ull << 1)  /* queue 1 exists with it */
#define FEATURE_C (1ull << 40) /* never offered */
#define GOOD      (FEATURE_A | FEATURE_B | VIRTIO_F_VERSION_1)

extern struct vd vd;
extern struct virtio_mmio transport;
extern int interrupts, starts, resets; /* how many of each */
extern int notified;                   /* the last queue, -1: none */
extern int config_written;             /* writes of the configuration word that may be written */
extern bool reset_takes_time;          /* a reset ends with virtio_mmio_reset_done() only */

/* Around each test; a test that needs several fresh devices calls them itself. */
void setup(void);
void teardown(void);

/* Any access; false: it meant nothing. */
bool access_any(uint64_t off, uint8_t size, bool write, uint64_t *v);

/* 32-bit accesses. get() and must_put() fail the test if they mean nothing. */
uint32_t get(uint64_t off);
bool put(uint64_t off, uint32_t v);
void must_put(uint64_t off, uint32_t v);

/* From reset to FEATURES_OK asked for; who cares reads Status whether it was granted. */
void negotiate(uint64_t features);

/* Queue n of this size at its place in guest memory, made ready. */
void set_queue(int n, uint32_t size);

/* From reset to DRIVER_OK with GOOD and queue 0. */
void drive(void);

/* The device stands still until a reset, for a reason that holds `words`. */
void failed(const char *words);

#endif
