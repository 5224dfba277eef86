/* SPDX-License-Identifier: MIT */
/* The virtio-mmio register file: every offset at every width, negotiation, the status machine, queues, interrupts. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "virtio/mmio.h"
#include "virtq_driver.h"

#define FEATURE_A 1ull         /* required */
#define FEATURE_B (1ull << 1)  /* queue 1 exists with it */
#define FEATURE_C (1ull << 40) /* never offered */
#define GOOD      (FEATURE_A | FEATURE_B | VIRTIO_F_VERSION_1)

static struct vd vd;
static struct virtio_mmio t;
static int interrupts, starts, resets, notified, config_written;
static bool reset_takes_time;

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

static void setup(void)
{
	vd_init(&vd);
	virtio_mmio_init(&t, &type, NULL, FEATURE_A | FEATURE_B, vd.mem, on_interrupt, NULL);
	notified = -1;
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* the sentences are looked at in t.why */
}

static void teardown(void)
{
	virtio_mmio_destroy(&t);
	free(vd.bytes);
}

TestSuite(virtio_mmio, .init = setup, .fini = teardown);

static bool access_any(uint64_t off, uint8_t size, bool write, uint64_t *v)
{
	return virtio_mmio_access(
	    &t, &(struct bus_access){.offset = off, .size = size, .count = 1, .write = write, .data = (uint8_t *)v});
}

static uint32_t get(uint64_t off)
{
	uint64_t v = 0;

	cr_assert(access_any(off, 4, false, &v), "read of 0x%llx", (unsigned long long)off);
	return v;
}

static bool put(uint64_t off, uint32_t v)
{
	uint64_t wide = v;

	return access_any(off, 4, true, &wide);
}

static void must_put(uint64_t off, uint32_t v)
{
	cr_assert(put(off, v), "write of 0x%llx", (unsigned long long)off);
}

static void negotiate(uint64_t features)
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

static void set_queue(int n, uint32_t size)
{
	must_put(VIRTIO_MMIO_QUEUE_SEL, n);
	must_put(VIRTIO_MMIO_QUEUE_NUM, size);
	must_put(VIRTIO_MMIO_QUEUE_DESC_LOW, VD_DESC + n * VD_RINGS);
	must_put(VIRTIO_MMIO_QUEUE_DRIVER_LOW, VD_AVAIL + n * VD_RINGS);
	must_put(VIRTIO_MMIO_QUEUE_DEVICE_LOW, VD_USED + n * VD_RINGS);
	must_put(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void drive(void)
{
	negotiate(GOOD);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0xb);
	set_queue(0, 8);
	must_put(VIRTIO_MMIO_STATUS, 0xf);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0xf);
}

static void failed(const char *words)
{
	cr_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
	cr_assert(t.why && strstr(t.why, words), "'%s' is not in: %s", words, t.why ? t.why : "(nothing)");
	cr_assert_not(virtio_mmio_running(&t));
}

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
			const struct virtio_mmio before = t;
			uint64_t v = 1;
			bool good = false, known;

			for (size_t i = 0; i < sizeof(writable) / sizeof(*writable); i++)
				good |= size == 4 && off == writable[i];
			known = access_any(off, size, true, &v);
			cr_assert_eq(known, good, "offset 0x%llx, %u bytes", (unsigned long long)off, size);
			if (!good) {
				cr_assert_eq(memcmp(&before, &t, sizeof(t)), 0, "offset 0x%llx, %u bytes",
				             (unsigned long long)off, size);
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

	cr_assert_not(
	    virtio_mmio_access(&t, &(struct bus_access){.offset = 0, .size = 4, .count = 4, .data = (uint8_t *)v}));
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
	cr_assert_eq(t.driver_features, GOOD);
}

Test(virtio_mmio, feature_halves_beyond_64)
{
	must_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	cr_assert_not(put(VIRTIO_MMIO_DRIVER_FEATURES, 1));
	must_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0xffffffff);
	cr_assert_not(put(VIRTIO_MMIO_DRIVER_FEATURES, 1));
	cr_assert_eq(t.driver_features, 0);
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
	cr_assert(virtio_mmio_running(&t));
	must_put(VIRTIO_MMIO_STATUS, 0xf); /* nothing new */
	cr_assert_eq(starts, 1);
	must_put(VIRTIO_MMIO_STATUS, 0xf | VIRTIO_STATUS_FAILED);
	cr_assert_not(virtio_mmio_running(&t));
}

/* NEEDS_RESET is the device's bit: told by an interrupt, not to be cleared but by a reset. */
Test(virtio_mmio, needs_reset)
{
	drive();
	virtio_mmio_fail(&t, "reason");
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
	cr_assert_not(virtio_mmio_running(&t));
	cr_assert_not(put(VIRTIO_MMIO_STATUS, 1));
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NUM, 8));
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, 0));
	must_put(VIRTIO_MMIO_STATUS, 0); /* once more: still one reset */
	cr_assert_eq(resets, 2);
	virtio_mmio_reset_done(&t);
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	reset_takes_time = false;
	drive();
}

/* What was taken before a reset is not given back after it. */
Test(virtio_mmio, buffers_do_not_survive_a_reset)
{
	unsigned epoch;

	drive();
	epoch = t.epoch;
	virtio_mmio_push(&t, epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 1);
	drive();
	virtio_mmio_push(&t, epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 1);
	virtio_mmio_push(&t, t.epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 1); /* the first of a new ring */
	cr_assert_eq(interrupts, 2);
}

/* Queues that do not exist: index too large, never there, not negotiated. Nothing they are told does anything. */
Test(virtio_mmio, queues_that_do_not_exist)
{
	static const uint32_t absent[] = {1, 2, 3, 8, 0xffff, 0x10000, 0xffffffff};
	static const uint64_t regs[] = {VIRTIO_MMIO_QUEUE_NUM,        VIRTIO_MMIO_QUEUE_READY,
	                                VIRTIO_MMIO_QUEUE_DESC_LOW,   VIRTIO_MMIO_QUEUE_DESC_HIGH,
	                                VIRTIO_MMIO_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_DRIVER_HIGH,
	                                VIRTIO_MMIO_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_DEVICE_HIGH};

	negotiate(FEATURE_A | VIRTIO_F_VERSION_1); /* without what queue 1 needs */
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
		must_put(VIRTIO_MMIO_QUEUE_SEL, absent[i]);
		const struct virtio_mmio before = t;

		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
		for (size_t r = 0; r < sizeof(regs) / sizeof(*regs); r++)
			cr_assert_not(put(regs[r], 1));
		cr_assert_eq(memcmp(&before, &t, sizeof(t)), 0, "queue %u", absent[i]);
	}
	set_queue(0, 8);
	must_put(VIRTIO_MMIO_STATUS, 0xf);
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
		cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, absent[i]));
	cr_assert_eq(notified, -1);
	must_put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	cr_assert_eq(notified, 0);
}

Test(virtio_mmio, queue_sizes)
{
	static const uint32_t bad[] = {0, 3, 256, 0xffff, 0x10000, 0x10008, 0xffffffff};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		negotiate(GOOD);
		set_queue(0, bad[i]);
		failed("queue");
		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	}
}

Test(virtio_mmio, queue_addresses_of_64_bits)
{
	negotiate(GOOD);
	must_put(VIRTIO_MMIO_QUEUE_SEL, 1);
	must_put(VIRTIO_MMIO_QUEUE_DESC_HIGH, 1);
	must_put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0x89abcdef);
	must_put(VIRTIO_MMIO_QUEUE_DRIVER_LOW, 0x11111111);
	must_put(VIRTIO_MMIO_QUEUE_DRIVER_HIGH, 2);
	must_put(VIRTIO_MMIO_QUEUE_DEVICE_HIGH, 3);
	cr_assert_eq(gpa_raw(t.queue[1].desc), 0x189abcdef);
	cr_assert_eq(gpa_raw(t.queue[1].driver), 0x211111111);
	cr_assert_eq(gpa_raw(t.queue[1].device), 0x300000000);
	cr_assert_eq(gpa_raw(t.queue[0].desc), 0);
}

/* A queue that is ready, and one after DRIVER_OK, is not to be changed. */
Test(virtio_mmio, queue_changed_too_late)
{
	static const uint64_t regs[] = {VIRTIO_MMIO_QUEUE_NUM,         VIRTIO_MMIO_QUEUE_DESC_LOW,
	                                VIRTIO_MMIO_QUEUE_DESC_HIGH,   VIRTIO_MMIO_QUEUE_DRIVER_LOW,
	                                VIRTIO_MMIO_QUEUE_DRIVER_HIGH, VIRTIO_MMIO_QUEUE_DEVICE_LOW,
	                                VIRTIO_MMIO_QUEUE_DEVICE_HIGH};

	for (size_t i = 0; i < sizeof(regs) / sizeof(*regs); i++) {
		negotiate(GOOD);
		set_queue(0, 8);
		must_put(regs[i], 16);
		failed("after it was made ready");
		drive();
		must_put(regs[i], 16);
		failed("after it was made ready");
		drive();
		must_put(VIRTIO_MMIO_QUEUE_SEL, 1);
		must_put(regs[i], 16);
		failed("after DRIVER_OK");
	}
	negotiate(GOOD);
	set_queue(0, 8);
	must_put(VIRTIO_MMIO_QUEUE_READY, 1);
	failed("twice");
	drive();
	must_put(VIRTIO_MMIO_QUEUE_SEL, 1);
	must_put(VIRTIO_MMIO_QUEUE_READY, 1);
	failed("after DRIVER_OK");
}

/* 4.2.2.2: a driver may stop using a queue. */
Test(virtio_mmio, queue_stops)
{
	drive();
	must_put(VIRTIO_MMIO_QUEUE_READY, 0);
	cr_assert_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, 0));
	virtio_mmio_push(&t, t.epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 0);
	cr_assert_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
	negotiate(GOOD);
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_READY, 2));
}

/* Each event is an edge; the status collects them until each is acknowledged by its bit. */
Test(virtio_mmio, interrupts)
{
	drive();
	virtio_mmio_push(&t, t.epoch, 0, 1, 0);
	virtio_mmio_push(&t, t.epoch, 0, 2, 0);
	cr_assert_eq(interrupts, 2);
	virtio_mmio_config_changed(&t);
	cr_assert_eq(interrupts, 3);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG_GENERATION), 1);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	must_put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INTERRUPT_USED);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INTERRUPT_CFG);
	must_put(VIRTIO_MMIO_INTERRUPT_ACK, ~0u);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	vd_avail(&vd, 0)->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	virtio_mmio_push(&t, t.epoch, 0, 3, 0);
	cr_assert_eq(interrupts, 3);
}

/* Without a driver a new configuration is no event. */
Test(virtio_mmio, config_before_the_driver)
{
	virtio_mmio_config_changed(&t);
	cr_assert_eq(interrupts, 0);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG_GENERATION), 1);
}

static char told[256]; /* what the watch heard, in words */

static void on_begin(void *ctx)
{
	strcat(told, "begin");
}

static void on_stored(void *ctx, gpa_t at, unsigned len)
{
	const size_t n = strlen(told);

	snprintf(told + n, sizeof(told) - n, " %llx+%u", (unsigned long long)gpa_raw(at), len);
}

static void on_end(void *ctx)
{
	strcat(told, " end ");
}

/* As the device's thread does it. */
static void push(uint16_t head)
{
	pthread_mutex_lock(&t.lock);
	virtio_mmio_push(&t, t.epoch, 0, head, 0);
	pthread_mutex_unlock(&t.lock);
}

/* Who watches hears of every word that the device stores, and only of those. */
Test(virtio_mmio, stores_are_told)
{
	static const struct virtq_watch watch = {.begin = on_begin, .stored = on_stored, .end = on_end};

	t.mem.watch = &watch;
	drive();
	told[0] = 0;
	push(1);
	cr_assert_str_eq(told, "begin 3004+4 3008+4 3002+2 end ");
	told[0] = 0;
	push(2);
	cr_assert_str_eq(told, "begin 300c+4 3010+4 3002+2 end ");
	told[0] = 0;
	t.queue[0].device = gpa_init(VD_HOLE);
	push(1);
	failed("used ring");
	cr_assert_str_eq(told, "begin end ");
}

static void *reset_by_another_vcpu(void *arg)
{
	must_put(VIRTIO_MMIO_STATUS, 0);
	return NULL;
}

static void wait_for_a_vcpu(void *ctx)
{
	pthread_t vcpu;

	cr_assert_eq(pthread_create(&vcpu, NULL, reset_by_another_vcpu, NULL), 0);
	pthread_join(vcpu, NULL);
}

/* A vCPU that the watch waits for gets at the device, and what it does there counts. */
Test(virtio_mmio, reset_while_stores_begin)
{
	static const struct virtq_watch watch = {.begin = wait_for_a_vcpu, .stored = on_stored, .end = on_end};

	t.mem.watch = &watch;
	drive();
	told[0] = 0;
	push(1);
	cr_assert_eq(vd_used(&vd, 0)->idx, 0);
	cr_assert_str_eq(told, " end ");
}

/* A used ring that vanished under the device's hands. */
Test(virtio_mmio, used_ring_vanishes)
{
	drive();
	t.queue[0].device = gpa_init(VD_HOLE);
	virtio_mmio_push(&t, t.epoch, 0, 1, 0);
	failed("used ring");
}
