/* SPDX-License-Identifier: MIT */
/*
 * Numbers and structures of the Virtual I/O Device specification, version 1.2, that
 * device and driver share: status (2.1), split virtqueue (2.7), MMIO registers (4.2.2), balloon (5.5). The
 * numbers are usable from assembly. All multi-byte fields are little-endian, which on x86-64 means: as they are.
 */
#ifndef GNOMON_VIRTIO_H
#define GNOMON_VIRTIO_H

/* 2.1 device status */
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER      2
#define VIRTIO_STATUS_DRIVER_OK   4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED      128

/* 6: feature bits of every device */
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* 4.2.2 registers of the MMIO transport: 32 bits wide, at these offsets */
#define VIRTIO_MMIO_MAGIC               0x000
#define VIRTIO_MMIO_VERSION             0x004
#define VIRTIO_MMIO_DEVICE_ID           0x008
#define VIRTIO_MMIO_VENDOR_ID           0x00c
#define VIRTIO_MMIO_DEVICE_FEATURES     0x010
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014
#define VIRTIO_MMIO_DRIVER_FEATURES     0x020
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024
#define VIRTIO_MMIO_QUEUE_SEL           0x030
#define VIRTIO_MMIO_QUEUE_NUM_MAX       0x034
#define VIRTIO_MMIO_QUEUE_NUM           0x038
#define VIRTIO_MMIO_QUEUE_READY         0x044
#define VIRTIO_MMIO_QUEUE_NOTIFY        0x050
#define VIRTIO_MMIO_INTERRUPT_STATUS    0x060
#define VIRTIO_MMIO_INTERRUPT_ACK       0x064
#define VIRTIO_MMIO_STATUS              0x070
#define VIRTIO_MMIO_QUEUE_DESC_LOW      0x080
#define VIRTIO_MMIO_QUEUE_DESC_HIGH     0x084
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW    0x090
#define VIRTIO_MMIO_QUEUE_DRIVER_HIGH   0x094
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW    0x0a0
#define VIRTIO_MMIO_QUEUE_DEVICE_HIGH   0x0a4
#define VIRTIO_MMIO_SHM_SEL             0x0ac
#define VIRTIO_MMIO_SHM_LEN_LOW         0x0b0
#define VIRTIO_MMIO_SHM_LEN_HIGH        0x0b4
#define VIRTIO_MMIO_SHM_BASE_LOW        0x0b8
#define VIRTIO_MMIO_SHM_BASE_HIGH       0x0bc
#define VIRTIO_MMIO_CONFIG_GENERATION   0x0fc
#define VIRTIO_MMIO_CONFIG              0x100

#define VIRTIO_MMIO_MAGIC_VALUE    0x74726976 /* "virt" */
#define VIRTIO_MMIO_VERSION_VALUE  2
#define VIRTIO_MMIO_INTERRUPT_USED 1 /* a used buffer */
#define VIRTIO_MMIO_INTERRUPT_CFG  2 /* the configuration changed, or the device needs a reset */

/* 2.7.5 descriptor */
#define VIRTQ_DESC_NEXT     1
#define VIRTQ_DESC_WRITE    2
#define VIRTQ_DESC_INDIRECT 4

/* 2.7.6 available ring */
#define VIRTQ_AVAIL_NO_INTERRUPT 1

/* 5.5 traditional memory balloon device */
#define VIRTIO_ID_BALLOON 5

#define VIRTIO_BALLOON_F_MUST_TELL_HOST (1ull << 0)
#define VIRTIO_BALLOON_F_STATS_VQ       (1ull << 1)
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM (1ull << 2)
#define VIRTIO_BALLOON_F_REPORTING      (1ull << 5)

/* 5.5.2: fixed numbers; 3 would be free page hinting, which is not offered */
#define VIRTIO_BALLOON_QUEUE_INFLATE   0
#define VIRTIO_BALLOON_QUEUE_DEFLATE   1
#define VIRTIO_BALLOON_QUEUE_STATS     2
#define VIRTIO_BALLOON_QUEUE_REPORTING 4
#define VIRTIO_BALLOON_QUEUES          5

/* 5.5.6.3 statistics */
#define VIRTIO_BALLOON_S_SWAP_IN      0
#define VIRTIO_BALLOON_S_SWAP_OUT     1
#define VIRTIO_BALLOON_S_MAJFLT       2
#define VIRTIO_BALLOON_S_MINFLT       3
#define VIRTIO_BALLOON_S_MEMFREE      4
#define VIRTIO_BALLOON_S_MEMTOT       5
#define VIRTIO_BALLOON_S_AVAIL        6
#define VIRTIO_BALLOON_S_CACHES       7
#define VIRTIO_BALLOON_S_HTLB_PGALLOC 8
#define VIRTIO_BALLOON_S_HTLB_PGFAIL  9
#define VIRTIO_BALLOON_S_NR           10

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 2.7.5 */
struct virtq_desc {
	uint64_t addr; /* guest physical */
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "virtio 2.7.5");

/* 2.7.6: what the driver offers; `ring` has as many entries as the queue */
struct virtq_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

/* 2.7.8 used ring: what the device gives back */
struct virtq_used_elem {
	uint32_t id;
	uint32_t len;
};

struct virtq_used {
	uint16_t flags;
	uint16_t idx;
	struct virtq_used_elem ring[];
};
_Static_assert(sizeof(struct virtq_avail) == 4 && sizeof(struct virtq_used) == 4, "virtio 2.7");

/* 5.5.4; a page is 4 KiB on every machine */
struct virtio_balloon_config {
	uint32_t num_pages; /* how many the device wants */
	uint32_t actual;    /* how many the driver says it gave */
};

/* 5.5.6.3 */
struct virtio_balloon_stat {
	uint16_t tag;
	uint64_t value;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_balloon_stat) == 10, "virtio 5.5.6.3");
#endif

#endif
