/* SPDX-License-Identifier: MIT */
/* What the parts of the balloon's driver share (balloon.c has the picture). */
#ifndef GUEST_BALLOON_PARTS_H
#define GUEST_BALLOON_PARTS_H

#include "kernel.h"
#include "virtio.h"

#define HUGE_PAGES (PAGE_2M / PAGE_SIZE)

/* To inflate or to deflate. The program writes the page numbers of its runs, then the kernel submits it. */
struct request {
	uint32_t pages; /* 0: there is none */
	int queue;
	bool submitted;
};

struct balloon {
	struct virtio_device device;
	struct virtio_queue queues[VIRTIO_BALLOON_QUEUES];
	struct proc *server; /* NULL: the driver has not started */
	uint32_t held;       /* pages */
	uint32_t target;     /* pages */
	struct runs runs;    /* what it holds, and what a request to inflate will add */
	struct request request;
	bool busy; /* in the allocator already: it gets no frames from here now */
};

/* balloon_request.c */

/* Shows the program the runs of requests, and gives it pages for their page numbers. 0 or -ENOMEM. */
int request_show(void);

/* Makes the next request. Returns how many runs the program has to expand, 0 if there is nothing to do. */
int64_t request_make(struct balloon *b);
void request_submit(struct balloon *b);

/* The device has finished the request. Its frames change hands. */
void request_finish(struct balloon *b);

/* The allocator is out: drops the request or waits for its end. True: some frames have become free. */
bool request_hurry(struct balloon *b);

/*
 * Takes a run back from the balloon, which gets nothing more until there is a new target. False: the balloon is empty,
 * or the device failed.
 */
bool request_take_back(struct balloon *b);

/* balloon_report.c names freed 2 MiB frames to the device, which may take their content. */

/* Reports free frames if the device wants reports and none is under way. */
void report_free(struct balloon *b);
bool report_is_out(void);

/* If the device has finished a report, ends it and makes the next. */
void report_attend(struct balloon *b);

/* Waits for the end of the report. False: the device failed. */
bool report_wait(struct balloon *b);

#endif
