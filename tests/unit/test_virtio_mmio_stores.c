/* SPDX-License-Identifier: MIT */
/*
 * What a virtio device stores in guest memory is told to who watches (the shadow MMU: it may be a guest's table), all
 * of it and nothing else; and telling blocks no vCPU that wants the device.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "virtio_mmio_driver.h"

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
	pthread_mutex_lock(&transport.lock);
	virtio_mmio_push(&transport, transport.epoch, 0, head, 0);
	pthread_mutex_unlock(&transport.lock);
}

/* Who watches hears of every word that the device stores, and only of those. */
Test(virtio_mmio, stores_are_told)
{
	static const struct virtq_watch watch = {.begin = on_begin, .stored = on_stored, .end = on_end};

	transport.mem.watch = &watch;
	drive();
	told[0] = 0;
	push(1);
	cr_assert_str_eq(told, "begin 3004+4 3008+4 3002+2 end ");
	told[0] = 0;
	push(2);
	cr_assert_str_eq(told, "begin 300c+4 3010+4 3002+2 end ");
	told[0] = 0;
	transport.queue[0].device = gpa_init(VD_HOLE);
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

	transport.mem.watch = &watch;
	drive();
	told[0] = 0;
	push(1);
	cr_assert_eq(vd_used(&vd, 0)->idx, 0);
	cr_assert_str_eq(told, " end ");
}
