/* SPDX-License-Identifier: MIT */
/* A kernel that gives an enclave's page to the host, too: the balloon stands still, and nothing is lost by it. */
#include <gnomon/virtio.h>
#include <gnomon/x86.h>

#include "attacks.h"
#include "lib.h"

#define ID     3
#define QUEUE  8
#define STATUS (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)

static struct virtq_desc desc[QUEUE] __attribute__((aligned(16)));
static uint16_t avail[2 + QUEUE], used[2 + 4 * QUEUE] __attribute__((aligned(4)));
static uint32_t pfn;

static volatile uint32_t *reg(unsigned at)
{
	return (volatile uint32_t *)(ALIAS + GNOMON_VIRTIO_BASE % PAGE + at);
}

static void begin_balloon(void)
{
	map_alias(GNOMON_VIRTIO_BASE & -PAGE);
	*reg(VIRTIO_MMIO_STATUS) = VIRTIO_STATUS_ACKNOWLEDGE;
	*reg(VIRTIO_MMIO_STATUS) = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES) = VIRTIO_BALLOON_F_MUST_TELL_HOST;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 1;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES) = VIRTIO_F_VERSION_1 >> 32;
	*reg(VIRTIO_MMIO_STATUS) = STATUS;
	*reg(VIRTIO_MMIO_QUEUE_SEL) = VIRTIO_BALLOON_QUEUE_INFLATE;
	*reg(VIRTIO_MMIO_QUEUE_NUM) = QUEUE;
	*reg(VIRTIO_MMIO_QUEUE_DESC_LOW) = (uint32_t)(uint64_t)desc;
	*reg(VIRTIO_MMIO_QUEUE_DRIVER_LOW) = (uint32_t)(uint64_t)avail;
	*reg(VIRTIO_MMIO_QUEUE_DEVICE_LOW) = (uint32_t)(uint64_t)used;
	*reg(VIRTIO_MMIO_QUEUE_READY) = 1;
	*reg(VIRTIO_MMIO_STATUS) = STATUS | VIRTIO_STATUS_DRIVER_OK;
}

void attack_balloon(void)
{
	build_and_seal(ID, 0);
	begin_balloon();
	pfn = (uint32_t)(FRAME(1) / PAGE);
	desc[0] = (struct virtq_desc){.addr = (uint64_t)&pfn, .len = sizeof(pfn)};
	*(volatile uint16_t *)&avail[1] = 1;
	*reg(VIRTIO_MMIO_QUEUE_NOTIFY) = VIRTIO_BALLOON_QUEUE_INFLATE;
	while (!*(volatile uint16_t *)&used[1] && !(*reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET))
		;
	expect("the balloon has not taken it", *(volatile uint16_t *)&used[1], 0);
	expect("destroy", destroy(ID), GNOMON_ENCLAVE_OK);
	expect("it comes back", is_filled(FRAME(1), 0), true);
}
