/* SPDX-License-Identifier: MIT */
#include "virtio_mmio_driver.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

struct vd vd;
struct virtio_mmio transport;
int interrupts, starts, resets, notified, config_written;
bool reset_takes_time;

static uint32_t config_read(void *dev, int word)
{
	return 0xc0de0000 + word;
}

static bool config_write(void *dev, int word, uint32_t v)
{
	config_written += word == 1;
	return word == 1;
}

static void started(void *dev)
{
	starts++;
}

static void notify(void *dev, unsigned queue)
{
	notified = queue;
}

static bool reset(void *dev)
{
	resets++;
	return !reset_takes_time;
}

static const struct virtio_type type = {
    .name = "test",
    .id = 0x77,
    .required = FEATURE_A,
    .queue_needs = {[1] = FEATURE_B, [2] = VIRTIO_NO_QUEUE},
    .nr_queues = 3,
    .config_words = 2,
    .config_read = config_read,
    .config_write = config_write,
    .started = started,
    .notify = notify,
    .reset = reset,
};

static void on_interrupt(void *ctx)
{
	interrupts++;
}

void setup(void)
{
	vd_init(&vd);
	virtio_mmio_init(&transport, &type, NULL, FEATURE_A | FEATURE_B, vd.mem, on_interrupt, NULL);
	notified = -1;
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* the sentences are looked at in transport.why */
}

void teardown(void)
{
	virtio_mmio_destroy(&transport);
	free(vd.bytes);
}

TestSuite(virtio_mmio, .init = setup, .fini = teardown);

bool access_any(uint64_t off, uint8_t size, bool write, uint64_t *v)
{
	return virtio_mmio_access(
	    &transport,
	    &(struct bus_access){.offset = off, .size = size, .count = 1, .write = write, .data = (uint8_t *)v});
}

uint32_t get(uint64_t off)
{
	uint64_t v = 0;

	cr_assert(access_any(off, 4, false, &v), "read of 0x%llx", (unsigned long long)off);
	return v;
}

bool put(uint64_t off, uint32_t v)
{
	uint64_t wide = v;

	return access_any(off, 4, true, &wide);
}

void must_put(uint64_t off, uint32_t v)
{
	cr_assert(put(off, v), "write of 0x%llx", (unsigned long long)off);
}

void negotiate(uint64_t features)
{
	must_put(VIRTIO_MMIO_STATUS, 0);
	must_put(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
	must_put(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	for (int i = 0; i < 2; i++) {
		must_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		must_put(VIRTIO_MMIO_DRIVER_FEATURES, features >> 32 * i);
	}
	must_put(VIRTIO_MMIO_STATUS, 0xb);
}

void set_queue(int n, uint32_t size)
{
	must_put(VIRTIO_MMIO_QUEUE_SEL, n);
	must_put(VIRTIO_MMIO_QUEUE_NUM, size);
	must_put(VIRTIO_MMIO_QUEUE_DESC_LOW, VD_DESC + n * VD_RINGS);
	must_put(VIRTIO_MMIO_QUEUE_DRIVER_LOW, VD_AVAIL + n * VD_RINGS);
	must_put(VIRTIO_MMIO_QUEUE_DEVICE_LOW, VD_USED + n * VD_RINGS);
	must_put(VIRTIO_MMIO_QUEUE_READY, 1);
}

void drive(void)
{
	negotiate(GOOD);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0xb);
	set_queue(0, 8);
	must_put(VIRTIO_MMIO_STATUS, 0xf);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0xf);
}

void failed(const char *words)
{
	cr_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
	cr_assert(transport.why && strstr(transport.why, words), "'%s' is not in: %s", words,
	          transport.why ? transport.why : "(nothing)");
	cr_assert_not(virtio_mmio_running(&transport));
}
