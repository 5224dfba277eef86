/* SPDX-License-Identifier: MIT */
/* Free page reporting (virtio 1.2, section 5.5.6.7): one report under way at a time. */
#include "balloon_parts.h"

#define REPORT_PAGES (1u << 19) /* in one descriptor: its length has 32 bits */
#define CHAIN_PAGES  (1u << 20) /* in all of them (2.7.5) */

static struct run reported[VIRTIO_QUEUE_SIZE]; /* 2 MiB frames. Nobody uses them until the device has finished. */
static int nr_reported;

/* Adds a frame to the report. False: it has no room. */
static bool add(uint32_t pfn)
{
	struct run *last = &reported[nr_reported - 1];

	if (nr_reported && last->pages < REPORT_PAGES) {
		if (pfn + HUGE_PAGES == last->pfn)
			last->pfn = pfn;
		if (pfn == last->pfn || pfn == last->pfn + last->pages) {
			last->pages += HUGE_PAGES;
			return true;
		}
	}
	if (nr_reported == VIRTIO_QUEUE_SIZE)
		return false;
	reported[nr_reported++] = (struct run){pfn, HUGE_PAGES};
	return true;
}

/* The next report has what finds no room in this one. */
static void collect(void)
{
	uint32_t pages = 0;
	gpa_t frame;

	while (gpa_raw(frame = huge_untold())) {
		if (pages >= CHAIN_PAGES || !add(gpa_raw(frame) / PAGE_SIZE)) {
			huge_put_back(frame);
			break;
		}
		pages += HUGE_PAGES;
	}
}

void report_free(struct balloon *b)
{
	struct virtio_queue *q = &b->queues[VIRTIO_BALLOON_QUEUE_REPORTING];

	if (!(b->device.features & VIRTIO_BALLOON_F_REPORTING) || nr_reported || !huges_room(VIRTIO_QUEUE_SIZE))
		return;
	collect();
	if (!nr_reported)
		return;
	for (int i = 0; i < nr_reported; i++)
		q->desc[i] = (struct virtq_desc){
		    .addr = reported[i].pfn * PAGE_SIZE,
		    .len = reported[i].pages * PAGE_SIZE,
		    .flags = VIRTQ_DESC_WRITE | (i + 1 < nr_reported ? VIRTQ_DESC_NEXT : 0),
		    .next = i + 1,
		};
	virtio_offer(&b->device, VIRTIO_BALLOON_QUEUE_REPORTING, q);
}

bool report_is_out(void)
{
	return nr_reported;
}

/* The frames can be used again. */
static void end(void)
{
	for (const struct run *r = reported; r < reported + nr_reported; r++)
		huges_told(*r);
	nr_reported = 0;
}

void report_attend(struct balloon *b)
{
	if (nr_reported && virtio_is_done(&b->queues[VIRTIO_BALLOON_QUEUE_REPORTING])) {
		end();
		report_free(b);
	}
}

bool report_wait(struct balloon *b)
{
	if (!virtio_wait(&b->device, &b->queues[VIRTIO_BALLOON_QUEUE_REPORTING]))
		return false;
	end();
	return true;
}
