/* SPDX-License-Identifier: MIT */
/*
 * The virtio-mmio register file: every offset at every width, negotiation, the status machine, resets. What means
 * nothing changes nothing, and a driver that goes out of order stops the device with a sentence.
 */
#include <criterion/criterion.h>

#include "virtio_mmio_driver.h"

/* What a fresh device reads at each of its registers; elsewhere, and at any other width, 0 and "meant nothing". */
static bool readable(uint64_t off, uint32_t *ret_v)
{
	static const struct {
		uint64_t off;
		uint32_t v;
	} regs[] = {
	    {VIRTIO_MMIO_MAGIC, 0x74726976},
	    {VIRTIO_MMIO_VERSION, 2},
	    {VIRTIO_MMIO_DEVICE_ID, 0x77},
	    {VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_VENDOR},
	    {VIRTIO_MMIO_DEVICE_FEATURES, FEATURE_A | FEATURE_B},
	    {VIRTIO_MMIO_QUEUE_NUM_MAX, VIRTQ_SIZE_MAX},
	    {VIRTIO_MMIO_QUEUE_READY, 0},
	    {VIRTIO_MMIO_INTERRUPT_STATUS, 0},
	    {VIRTIO_MMIO_STATUS, 0},
	    {VIRTIO_MMIO_SHM_LEN_LOW, ~0u},
	    {VIRTIO_MMIO_SHM_LEN_HIGH, ~0u},
	    {VIRTIO_MMIO_SHM_BASE_LOW, ~0u},
	    {VIRTIO_MMIO_SHM_BASE_HIGH, ~0u},
	    {VIRTIO_MMIO_CONFIG_GENERATION, 0},
	    {VIRTIO_MMIO_CONFIG, 0xc0de0000},
	    {VIRTIO_MMIO_CONFIG + 4, 0xc0de0001},
	};

	for (size_t i = 0; i < sizeof(regs) / sizeof(*regs); i++) {
		if (regs[i].off == off) {
			*ret_v = regs[i].v;
			return true;
		}
	}
	return false;
}

Test(virtio_mmio, reads_of_every_offset_and_width)
{
	for (uint64_t off = 0; off < 0x210; off++) {
		for (uint8_t size = 1; size <= 8; size *= 2) {
			uint64_t v = 0x5555555555555555;
			uint32_t want = 0;
			bool known = access_any(off, size, false, &v);
			bool good = size == 4 && readable(off, &want);

			cr_assert_eq(known, good, "offset 0x%llx, %u bytes", (unsigned long long)off, size);
			if (size < 8)
				v &= (1ull << 8 * size) - 1;
			cr_assert_eq(v, good ? want : 0, "offset 0x%llx, %u bytes: 0x%llx", (unsigned long long)off,
			             size, (unsigned long long)v);
		}
	}
}

/* Only 32-bit writes of writable registers mean anything; any other changes not one bit of the transport. */
Test(virtio_mmio, writes_of_every_offset_and_width)
{
	static const uint64_t writable[] = {VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DRIVER_FEATURES_SEL,
	                                    VIRTIO_MMIO_QUEUE_SEL,           VIRTIO_MMIO_SHM_SEL,
	                                    VIRTIO_MMIO_INTERRUPT_ACK,       VIRTIO_MMIO_CONFIG + 4,
	                                    VIRTIO_MMIO_DRIVER_FEATURES,     VIRTIO_MMIO_STATUS,
	                                    VIRTIO_MMIO_QUEUE_NUM,           VIRTIO_MMIO_QUEUE_READY,
	                                    VIRTIO_MMIO_QUEUE_DESC_LOW,      VIRTIO_MMIO_QUEUE_DESC_HIGH,
	                                    VIRTIO_MMIO_QUEUE_DRIVER_LOW,    VIRTIO_MMIO_QUEUE_DRIVER_HIGH,
	                                    VIRTIO_MMIO_QUEUE_DEVICE_LOW,    VIRTIO_MMIO_QUEUE_DEVICE_HIGH};

	for (uint64_t off = 0; off < 0x210; off++) {
		for (uint8_t size = 1; size <= 8; size *= 2) {
			const struct virtio_mmio before = transport;
			uint64_t v = 1;
			bool good = false, known;

			for (size_t i = 0; i < sizeof(writable) / sizeof(*writable); i++)
				good |= size == 4 && off == writable[i];
			known = access_any(off, size, true, &v);
			cr_assert_eq(known, good, "offset 0x%llx, %u bytes", (unsigned long long)off, size);
			if (!good) {
				cr_assert_eq(memcmp(&before, &transport, sizeof(transport)), 0,
				             "offset 0x%llx, %u bytes", (unsigned long long)off, size);
				continue;
			}
			teardown();
			setup();
		}
	}
	cr_assert_eq(config_written, 1);
}

/* A port-style string access is none. */
Test(virtio_mmio, several_elements)
{
	uint64_t v[2] = {~0ull, ~0ull};

	cr_assert_not(virtio_mmio_access(
	    &transport, &(struct bus_access){.offset = 0, .size = 4, .count = 4, .data = (uint8_t *)v}));
	cr_assert_eq(v[0] | v[1], 0);
}

Test(virtio_mmio, device_features)
{
	must_put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	cr_assert_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 1); /* VERSION_1 */
	must_put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	cr_assert_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 0);
	must_put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0xffffffff);
	cr_assert_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

/* FEATURES_OK stays clear for a driver without VERSION_1, without what is required, or with what was not offered. */
Test(virtio_mmio, features_that_do_not_suit)
{
	static const uint64_t bad[] = {
	    0, FEATURE_A, VIRTIO_F_VERSION_1, FEATURE_B | VIRTIO_F_VERSION_1, GOOD | FEATURE_C, GOOD | 4, ~0ull};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		negotiate(bad[i]);
		cr_assert_eq(get(VIRTIO_MMIO_STATUS), 3, "features 0x%llx", (unsigned long long)bad[i]);
		must_put(VIRTIO_MMIO_STATUS, 0xf); /* a driver that does not look */
		failed("FEATURES_OK was refused");
	}
	negotiate(FEATURE_A | VIRTIO_F_VERSION_1);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0xb);
	cr_assert_eq(starts, 0);
}

/* After FEATURES_OK the features stand. */
Test(virtio_mmio, features_are_final)
{
	negotiate(GOOD);
	must_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	cr_assert_not(put(VIRTIO_MMIO_DRIVER_FEATURES, 0));
	cr_assert_eq(transport.driver_features, GOOD);
}

Test(virtio_mmio, feature_halves_beyond_64)
{
	must_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	cr_assert_not(put(VIRTIO_MMIO_DRIVER_FEATURES, 1));
	must_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0xffffffff);
	cr_assert_not(put(VIRTIO_MMIO_DRIVER_FEATURES, 1));
	cr_assert_eq(transport.driver_features, 0);
}

Test(virtio_mmio, status_steps_out_of_order)
{
	static const struct {
		uint32_t first, then;
		const char *words;
	} bad[] = {{0, 2, "without ACKNOWLEDGE"},
	           {0, 4, "without FEATURES_OK"},
	           {1, 5, "without FEATURES_OK"},
	           {3, 7, "without FEATURES_OK"},
	           {3, 2, "cleared"},
	           {3, 1, "cleared"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		must_put(VIRTIO_MMIO_STATUS, 0);
		must_put(VIRTIO_MMIO_STATUS, bad[i].first);
		must_put(VIRTIO_MMIO_STATUS, bad[i].then);
		failed(bad[i].words);
		must_put(VIRTIO_MMIO_STATUS, 0);
		cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	}
	cr_assert_eq(interrupts, 0); /* 2.1.2: not before DRIVER_OK */
	cr_assert_not(put(VIRTIO_MMIO_STATUS, 16));
	cr_assert_not(put(VIRTIO_MMIO_STATUS, 0x80000000));
}

Test(virtio_mmio, runs)
{
	drive();
	cr_assert_eq(starts, 1);
	cr_assert(virtio_mmio_running(&transport));
	must_put(VIRTIO_MMIO_STATUS, 0xf); /* nothing new */
	cr_assert_eq(starts, 1);
	must_put(VIRTIO_MMIO_STATUS, 0xf | VIRTIO_STATUS_FAILED);
	cr_assert_not(virtio_mmio_running(&transport));
}

/* NEEDS_RESET is the device's bit: told by an interrupt, not to be cleared but by a reset. */
Test(virtio_mmio, needs_reset)
{
	drive();
	virtio_mmio_fail(&transport, "reason");
	failed("reason");
	cr_assert_eq(interrupts, 1);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INTERRUPT_CFG);
	must_put(VIRTIO_MMIO_STATUS, 0xf);
	failed("reason");
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, 0));
	must_put(VIRTIO_MMIO_STATUS, 0);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	drive();
}

/* A reset that the device is not through with: Status does not read 0, writes do nothing, the end is the device's. */
Test(virtio_mmio, reset_that_takes_time)
{
	drive();
	reset_takes_time = true;
	must_put(VIRTIO_MMIO_STATUS, 0);
	cr_assert_neq(get(VIRTIO_MMIO_STATUS), 0);
	cr_assert_not(virtio_mmio_running(&transport));
	cr_assert_not(put(VIRTIO_MMIO_STATUS, 1));
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NUM, 8));
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, 0));
	must_put(VIRTIO_MMIO_STATUS, 0); /* once more: still one reset */
	cr_assert_eq(resets, 2);
	virtio_mmio_reset_done(&transport);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	reset_takes_time = false;
	drive();
}

/* What was taken before a reset is not given back after it. */
Test(virtio_mmio, buffers_do_not_survive_a_reset)
{
	unsigned epoch;

	drive();
	epoch = transport.epoch;
	virtio_mmio_push(&transport, epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 1);
	drive();
	virtio_mmio_push(&transport, epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 1);
	virtio_mmio_push(&transport, transport.epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 1); /* the first of a new ring */
	cr_assert_eq(interrupts, 2);
}
