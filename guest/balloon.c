/* SPDX-License-Identifier: MIT */
/*
 * Driver of the memory balloon (virtio 1.2, sections 3.1, 4.2.3 and 5.5), for one program that serves it:
 *
 *   program                    here                                     device
 *   SYS_BALLOON: serve         submit what the program expanded         reads PFNs, reclaims
 *     (sleeps)                 interrupt: the request is finished
 *                              target above: take frames, note them
 *   runs -> PFNs     <-------- target below: take from the notes
 *
 * The driver notes the frames that the balloon holds as runs. MUST_TELL_HOST: the kernel uses a frame that comes back
 * only when the request for it is done.
 *
 * Two features are optional. With free page reporting the driver names freed 2 MiB frames to the device, and their
 * content may go (balloon_report.c). With deflate-on-OOM it takes frames back when the allocator has none left
 * (relieve()). The balloon then gets nothing until there is a new target.
 */
#include "balloon.h"

#include "balloon_parts.h"
#include "device.h"

static struct balloon balloon = {
    .device = {.registers = KERNEL_PAGE((uint64_t)DEVICE_PAGE), .offset = GNOMON_BOOT_VIRT},
};

static uint32_t count_memory(void)
{
	uint32_t nr, pages = 0;
	const uint64_t *memory = memory_ranges(&nr);

	for (uint32_t i = 0; i < nr; i++)
		pages += fdt_u64(memory[2 * i + 1]) / PAGE_SIZE;
	return pages;
}

static void offer_stats(struct balloon *b)
{
	static struct virtio_balloon_stat stats[3];
	static uint32_t total;
	struct virtio_queue *q = &b->queues[VIRTIO_BALLOON_QUEUE_STATS];
	const uint64_t free = page_count_free() * PAGE_SIZE;

	if (!total)
		total = count_memory();
	stats[0] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_MEMFREE, free};
	stats[1] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_AVAIL, free};
	stats[2] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_MEMTOT, total * PAGE_SIZE};
	q->desc[0] = (struct virtq_desc){.addr = virtio_address(&b->device, stats), .len = sizeof(stats)};
	virtio_offer(&b->device, VIRTIO_BALLOON_QUEUE_STATS, q);
}

/* Looks at everything that the device may have said. Returns how many runs to expand, 0 to sleep, or -EIO. */
static int64_t attend(struct balloon *b)
{
	const uint32_t events = *virtio_register(&b->device, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (events)
		*virtio_register(&b->device, VIRTIO_MMIO_INTERRUPT_ACK) = events;
	if (events & VIRTIO_MMIO_INTERRUPT_CFG) {
		if (*virtio_register(&b->device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET)
			return -EIO;
		b->target = *virtio_register(&b->device, VIRTIO_MMIO_CONFIG);
	}
	if (virtio_is_done(&b->queues[VIRTIO_BALLOON_QUEUE_STATS]))
		offer_stats(b);
	report_attend(b);
	if (b->request.pages) {
		if (!virtio_is_done(&b->queues[b->request.queue]))
			return 0;
		request_finish(b);
	}
	return b->target == b->held ? 0 : request_make(b);
}

bool balloon_is_server(const struct proc *p)
{
	return p == balloon.server;
}

int64_t balloon_serve(struct proc *p)
{
	struct balloon *b = &balloon;
	int64_t r;

	if (p != b->server)
		return -EBUSY;
	if (b->request.pages && !b->request.submitted)
		request_submit(b);
	r = attend(b);
	if (r == 0)
		p->state = PROC_DEVICE; /* interrupt() puts the result into its frame */
	return r;
}

/* Nothing else takes a CPU away from a program. The program that runs now goes on after the server. */
static void preempt(void)
{
	struct proc *p = balloon.server;

	if (p->state == PROC_RUNNABLE && p->cpu == this_cpu()->id && p != this_cpu()->current)
		proc_next(p);
}

/* Runs on any CPU. */
static void interrupt(void)
{
	struct proc *p = balloon.server;
	int64_t r;

	if (p->state != PROC_DEVICE)
		return; /* it will attend by itself */
	r = attend(&balloon);
	if (r == 0)
		return;
	p->frame.rax = r;
	p->state = PROC_RUNNABLE;
	if (p->cpu != this_cpu()->id)
		cpu_interrupt(p->cpu);
	else
		preempt();
}

/*
 * Waits for the device with the kernel's lock held. Each turn of the wait is an exit to the host. Without
 * DEFLATE_ON_OOM it waits only for a report of free frames.
 */
static bool relieve(void)
{
	struct balloon *b = &balloon;
	bool some = false;

	if (b->busy)
		return false;
	b->busy = true;
	if (report_is_out())
		some = report_wait(b);
	else if (b->device.features & VIRTIO_BALLOON_F_DEFLATE_ON_OOM)
		some = (b->request.pages && request_hurry(b)) || (!b->request.pages && request_take_back(b));
	b->busy = false;
	return some;
}

/* Pages on their way to the balloon count as well. */
static uint64_t spare(void)
{
	const struct balloon *b = &balloon;
	const uint64_t on_the_way = b->request.queue == VIRTIO_BALLOON_QUEUE_INFLATE ? b->request.pages : 0;

	return b->device.features & VIRTIO_BALLOON_F_DEFLATE_ON_OOM ? b->held + on_the_way : 0;
}

/* The host may want to know of the memory, or to have it. */
static void freed(void)
{
	report_free(&balloon);
	if (balloon.target > balloon.held && !balloon.request.pages)
		interrupt();
}

static const struct device_hooks hooks = {
    .interrupt = interrupt,
    .preempt = preempt,
    .freed = freed,
    .relieve = relieve,
    .spare = spare,
};

/* True if the device tree's node is a balloon whose interrupt has a gate. Maps its registers. */
static bool probe(const struct virtio_device *d)
{
	uint32_t len;
	const uint64_t *base = fdt_property(device_tree, FDT_PREFIX("virtio_"), FDT_NAME("reg"), &len);
	/* The first property with this beginning is `interrupts`; `interrupt-parent` comes after it. */
	const uint32_t *vector = fdt_property(device_tree, FDT_PREFIX("virtio_"), FDT_PREFIX("interr"), &len);

	if (!base || !vector || fdt_u32(*vector) >= NR_VECTORS)
		return false;
	kernel_pt[DEVICE_PAGE] = fdt_u64(*base) | PTE_P | PTE_W | PTE_NX;
	return virtio_is(d, VIRTIO_ID_BALLOON);
}

static bool set_queues(struct balloon *b)
{
	for (int i = 0; i <= VIRTIO_BALLOON_QUEUE_STATS; i++)
		if (!virtio_set_queue(&b->device, i, &b->queues[i]))
			return false;
	return !(b->device.features & VIRTIO_BALLOON_F_REPORTING) ||
	       virtio_set_queue(&b->device, VIRTIO_BALLOON_QUEUE_REPORTING, &b->queues[VIRTIO_BALLOON_QUEUE_REPORTING]);
}

/* A program asks for it. Guests that run no such program pay nothing. */
int64_t balloon_start(struct proc *p)
{
	struct balloon *b = &balloon;

	if (b->server)
		return -EBUSY;
	if (!probe(&b->device) ||
	    !virtio_negotiate(&b->device, VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_STATS_VQ,
	                      VIRTIO_BALLOON_F_DEFLATE_ON_OOM | VIRTIO_BALLOON_F_REPORTING) ||
	    !set_queues(b))
		return -ENODEV;
	if (request_show() < 0)
		return -ENOMEM;
	b->server = p;
	device_register(&hooks);
	virtio_start(&b->device);
	b->target = *virtio_register(&b->device, VIRTIO_MMIO_CONFIG);
	offer_stats(b);
	return 0;
}
