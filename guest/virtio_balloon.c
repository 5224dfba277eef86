/* SPDX-License-Identifier: MIT */
/*
 * Driver of the memory balloon (virtio 1.2, sections 3.1, 4.2.3 and 5.5), for one program that serves it:
 *
 *   program                    here                                     device
 *   SYS_BALLOON: serve         submit what the program expanded         reads PFNs, reclaims
 *     (sleeps)                 interrupt: frames are settled
 *                              target above: take frames, note them
 *   runs -> PFNs     <-------- target below: take from the notes
 *
 * Frames that the balloon has are noted as runs. One request is under way at a time; it can hold
 * 32 MiB, so that there is one exit for many pages. MUST_TELL_HOST: frames that come back are used when the
 * request that asked for them is done, not before.
 *
 * If the device offers it, 2 MiB frames that were freed are reported: their content may go then. And if the device
 * offers that, frames are taken back from the balloon when the allocator has none left (balloon_relieve()); nothing is
 * given again before there is a new target.
 */
#include <gnomon/virtio.h>

#include "balloon.h"
#include "device.h"
#include "kernel.h"

#define QUEUE_SIZE    UPFN_PAGES /* descriptors: a request takes all */
#define HUGE_PAGES    (PAGE_2M / PAGE_SIZE)
#define REPORT_PAGES  (1u << 19) /* in one descriptor: its length has 32 bits */
#define CHAIN_PAGES   (1u << 20) /* in all of them (2.7.5) */
#define PFNS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define RUNS          (URUN_PAGES * PAGE_SIZE / sizeof(struct run)) /* many: single pages must share an exit, too */
#define KEEP          256 /* pages that stay with the guest whatever is asked of it */
#define RESET_READS   1000000

struct queue {
	struct virtq_desc desc[QUEUE_SIZE];
	struct {
		uint16_t flags, idx, ring[QUEUE_SIZE];
	} avail;
	struct {
		uint16_t flags, idx;
		struct virtq_used_elem ring[QUEUE_SIZE];
	} used;
} __attribute__((aligned(16)));

static struct queue queues[VIRTIO_BALLOON_QUEUES] __attribute__((aligned(4096))); /* none crosses a page */
static struct run job[RUNS] __attribute__((aligned(4096)));                       /* shown to the program */
static gpa_t pfn_pages[UPFN_PAGES];
static struct virtio_balloon_stat stats[3];
static struct run report[QUEUE_SIZE]; /* 2 MiB frames; nobody's until the device is through */
static uint32_t back[HUGE_PAGES] __attribute__((aligned(2048))); /* PFNs of frames that are taken back */

static struct {
	struct proc *server;
	uint32_t held, target, total; /* pages */
	uint32_t job_pages;           /* 0: no request is made or under way */
	int job_queue;
	bool submitted;
	bool busy; /* in here: not to be asked for frames */
	int nr_reports;
	uint64_t features;
	struct runs runs; /* what it has, and what a request to inflate shall add */
} balloon;

static volatile uint32_t *reg(uint32_t offset)
{
	return (volatile uint32_t *)(KERNEL_PAGE((uint64_t)DEVICE_PAGE) + offset);
}

/* Makes the next request: how many runs the program is to expand; 0: nothing is to be done. */
static int64_t make_job(void)
{
	const bool inflate = balloon.target > balloon.held;
	uint64_t want = inflate ? balloon.target - balloon.held : balloon.held - balloon.target;
	uint64_t n = 0;

	if (inflate) {
		uint64_t free = page_count_free();

		free = free > KEEP ? free - KEEP : 0;
		want = want < free ? want : free;
	}
	if (want > UPFN_PAGES * PFNS_PER_PAGE)
		want = UPFN_PAGES * PFNS_PER_PAGE;
	balloon.job_pages = 0;
	balloon.busy = true;
	for (; want && n < RUNS; n++) {
		if (!inflate) {
			job[n] = runs_pop(&balloon.runs, want);
		} else {
			if (!runs_room(&balloon.runs, 1) || !frames_take(want, &job[n]))
				break;
			runs_push(&balloon.runs, job[n]);
		}
		want -= job[n].pages;
		balloon.job_pages += job[n].pages;
	}
	balloon.busy = false;
	balloon.job_queue = inflate ? VIRTIO_BALLOON_QUEUE_INFLATE : VIRTIO_BALLOON_QUEUE_DEFLATE;
	balloon.submitted = false;
	return n;
}

/* Offers descriptor 0 and what follows it. */
static void offer(int number)
{
	struct queue *q = &queues[number];

	q->avail.ring[q->avail.idx % QUEUE_SIZE] = 0;
	__atomic_store_n(&q->avail.idx, q->avail.idx + 1, __ATOMIC_SEQ_CST);
	*reg(VIRTIO_MMIO_QUEUE_NOTIFY) = number;
}

static bool is_done(int number)
{
	const struct queue *q = &queues[number];

	return __atomic_load_n(&q->used.idx, __ATOMIC_ACQUIRE) == q->avail.idx;
}

static void submit(void)
{
	struct virtq_desc *d = queues[balloon.job_queue].desc;
	uint32_t left = balloon.job_pages;

	for (int i = 0;; i++) {
		const uint32_t n = left < PFNS_PER_PAGE ? left : PFNS_PER_PAGE;

		left -= n;
		d[i] =
		    (struct virtq_desc){gpa_raw(pfn_pages[i]), n * sizeof(uint32_t), left ? VIRTQ_DESC_NEXT : 0, i + 1};
		if (!left)
			break;
	}
	balloon.submitted = true;
	offer(balloon.job_queue);
}

static void tell_held(void)
{
	*reg(VIRTIO_MMIO_CONFIG + __builtin_offsetof(struct virtio_balloon_config, actual)) = balloon.held;
}

/* The request is done: who asked for frames has them. */
static void settle(void)
{
	if (balloon.job_queue == VIRTIO_BALLOON_QUEUE_INFLATE) {
		balloon.held += balloon.job_pages;
	} else {
		balloon.held -= balloon.job_pages;
		for (uint32_t i = 0, pages = 0; pages < balloon.job_pages; pages += job[i++].pages)
			frames_give(job[i], true);
	}
	balloon.job_pages = 0;
	tell_held();
}

static void offer_stats(void)
{
	const uint64_t free = page_count_free() * PAGE_SIZE;

	stats[0] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_MEMFREE, free};
	stats[1] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_AVAIL, free};
	stats[2] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_MEMTOT, balloon.total * PAGE_SIZE};
	queues[VIRTIO_BALLOON_QUEUE_STATS].desc[0] =
	    (struct virtq_desc){gpa_raw(kernel_gpa(stats)), sizeof(stats), 0, 0};
	offer(VIRTIO_BALLOON_QUEUE_STATS);
}

/* Adds a frame to the report. False: it has no room. */
static bool add_to_report(uint32_t pfn)
{
	struct run *last = &report[balloon.nr_reports - 1];

	if (balloon.nr_reports && last->pages < REPORT_PAGES) {
		if (pfn + HUGE_PAGES == last->pfn)
			last->pfn = pfn;
		if (pfn == last->pfn || pfn == last->pfn + last->pages) {
			last->pages += HUGE_PAGES;
			return true;
		}
	}
	if (balloon.nr_reports == QUEUE_SIZE)
		return false;
	report[balloon.nr_reports++] = (struct run){pfn, HUGE_PAGES};
	return true;
}

/* Tells the device, if it wants to know, of 2 MiB frames that were freed. What finds no room has its turn after this.
 */
static void report_free(void)
{
	struct virtq_desc *d = queues[VIRTIO_BALLOON_QUEUE_REPORTING].desc;
	uint32_t pages = 0;
	gpa_t frame;

	if (!(balloon.features & VIRTIO_BALLOON_F_REPORTING) || balloon.nr_reports || !huges_room(QUEUE_SIZE))
		return;
	while (gpa_raw(frame = huge_untold())) {
		if (pages < CHAIN_PAGES && add_to_report(gpa_raw(frame) / PAGE_SIZE)) {
			pages += HUGE_PAGES;
			continue;
		}
		huge_put_back(frame);
		break;
	}
	if (!balloon.nr_reports)
		return;
	for (int i = 0; i < balloon.nr_reports; i++)
		d[i] =
		    (struct virtq_desc){report[i].pfn * PAGE_SIZE, report[i].pages * PAGE_SIZE,
		                        VIRTQ_DESC_WRITE | (i + 1 < balloon.nr_reports ? VIRTQ_DESC_NEXT : 0), i + 1};
	offer(VIRTIO_BALLOON_QUEUE_REPORTING);
}

/* The device is through with the report: its frames can be used again. */
static void end_report(void)
{
	for (const struct run *r = report; r < report + balloon.nr_reports; r++)
		huges_told(*r);
	balloon.nr_reports = 0;
}

/* Looks at everything the device may have said. Runs to expand, 0 to sleep, -EIO. */
static int64_t look(void)
{
	const uint32_t events = *reg(VIRTIO_MMIO_INTERRUPT_STATUS);

	if (events)
		*reg(VIRTIO_MMIO_INTERRUPT_ACK) = events;
	if (events & VIRTIO_MMIO_INTERRUPT_CFG) {
		if (*reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET)
			return -EIO;
		balloon.target = *reg(VIRTIO_MMIO_CONFIG);
	}
	if (is_done(VIRTIO_BALLOON_QUEUE_STATS))
		offer_stats();
	if (balloon.nr_reports && is_done(VIRTIO_BALLOON_QUEUE_REPORTING)) {
		end_report();
		report_free();
	}
	if (balloon.job_pages) {
		if (!is_done(balloon.job_queue))
			return 0;
		settle();
	}
	return balloon.target == balloon.held ? 0 : make_job();
}

int64_t balloon_serve(struct proc *p)
{
	int64_t r;

	if (p != balloon.server)
		return -EBUSY;
	if (balloon.job_pages && !balloon.submitted)
		submit();
	r = look();
	if (r == 0)
		p->state = PROC_DEVICE; /* balloon_interrupt() puts the result into its frame */
	return r;
}

/* Nobody else takes a CPU away from a program: where the server can go on, it goes next, and who runs there after it. */
static void balloon_preempt(void)
{
	struct proc *p = balloon.server;

	if (p && p->state == PROC_RUNNABLE && p->cpu == this_cpu()->id && p != this_cpu()->current)
		proc_next(p);
}

/* The device may have something for the server, on whatever CPU that is. */
static void balloon_interrupt(void)
{
	struct proc *p = balloon.server;
	int64_t r;

	if (!p || p->state != PROC_DEVICE)
		return; /* it will look by itself */
	r = look();
	if (r == 0)
		return;
	p->frame.rax = r;
	p->state = PROC_RUNNABLE;
	if (p->cpu != this_cpu()->id)
		cpu_interrupt(p->cpu);
	else
		balloon_preempt();
}

/* Waits for the device here, in the kernel. False: it failed. */
static bool wait_for_device(int number)
{
	while (!is_done(number))
		if (*reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET)
			return false;
	return true;
}

/* What it has been taken back stays with the guest. A target below that, which may have come meanwhile, holds. */
static void want_no_more(void)
{
	if (balloon.target > balloon.held)
		balloon.target = balloon.held;
}

/* Ends the request that is made or under way. True: some frames are free now that were not. */
static bool end_job(void)
{
	if (balloon.job_queue == VIRTIO_BALLOON_QUEUE_INFLATE && !balloon.submitted) {
		while (balloon.job_pages) { /* the device knows nothing of it */
			const struct run run = runs_pop(&balloon.runs, balloon.job_pages);

			frames_give(run, false);
			balloon.job_pages -= run.pages;
		}
		want_no_more();
		return true;
	}
	if (!balloon.submitted) { /* what the program writes meanwhile is the same */
		uint32_t *pfns = NULL, n = 0;

		for (const struct run *r = job; n < balloon.job_pages; r++)
			for (uint32_t i = 0; i < r->pages; i++, n++) {
				if (n % PFNS_PER_PAGE == 0)
					pfns = window(pfn_pages[n / PFNS_PER_PAGE]);
				pfns[n % PFNS_PER_PAGE] = r->pfn + i;
			}
		submit();
	}
	if (!wait_for_device(balloon.job_queue))
		return false;
	settle();
	return balloon.job_queue == VIRTIO_BALLOON_QUEUE_DEFLATE;
}

/* A run back from the balloon, and no more for it until there is a new target. False: it holds none, or failed. */
static bool take_back(void)
{
	struct run run;

	if (!balloon.held)
		return false;
	run = runs_pop(&balloon.runs, HUGE_PAGES);
	for (uint32_t i = 0; i < run.pages; i++)
		back[i] = run.pfn + i;
	queues[VIRTIO_BALLOON_QUEUE_DEFLATE].desc[0] =
	    (struct virtq_desc){gpa_raw(kernel_gpa(back)), run.pages * sizeof(*back), 0, 0};
	offer(VIRTIO_BALLOON_QUEUE_DEFLATE);
	if (!wait_for_device(VIRTIO_BALLOON_QUEUE_DEFLATE))
		return false;
	frames_give(run, true);
	balloon.held -= run.pages;
	want_no_more();
	tell_held();
	return true;
}

/*
 * For the allocator that is out: true when some frames are free now that were not. Waits for the device, with the
 * kernel's lock held; without DEFLATE_ON_OOM for no more than a report of free frames.
 */
static bool balloon_relieve(void)
{
	bool some = false;

	if (balloon.busy || !balloon.server)
		return false;
	balloon.busy = true;
	if (balloon.nr_reports) {
		some = wait_for_device(VIRTIO_BALLOON_QUEUE_REPORTING);
		if (some)
			end_report();
	} else if (balloon.features & VIRTIO_BALLOON_F_DEFLATE_ON_OOM) {
		some = (balloon.job_pages && end_job()) || (!balloon.job_pages && take_back());
	}
	balloon.busy = false;
	return some;
}

/* Pages that balloon_relieve() could add to those that are free: those on their way to the balloon, too. */
static uint64_t balloon_spare(void)
{
	const uint64_t on_the_way = balloon.job_queue == VIRTIO_BALLOON_QUEUE_INFLATE ? balloon.job_pages : 0;

	return balloon.features & VIRTIO_BALLOON_F_DEFLATE_ON_OOM ? balloon.held + on_the_way : 0;
}

/* Memory became free: the host may want to know, or to have it. */
static void balloon_freed(void)
{
	report_free();
	if (balloon.target > balloon.held && !balloon.job_pages)
		balloon_interrupt();
}

/* 3.1.1, steps 1 to 6. */
static bool negotiate(void)
{
	const uint64_t need = VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_STATS_VQ;
	const uint64_t want = need | VIRTIO_BALLOON_F_DEFLATE_ON_OOM | VIRTIO_BALLOON_F_REPORTING;
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	*reg(VIRTIO_MMIO_STATUS) = 0;
	for (int i = 0; *reg(VIRTIO_MMIO_STATUS); i++)
		if (i == RESET_READS)
			return false;
	*reg(VIRTIO_MMIO_STATUS) = VIRTIO_STATUS_ACKNOWLEDGE;
	*reg(VIRTIO_MMIO_STATUS) = status;
	*reg(VIRTIO_MMIO_DEVICE_FEATURES_SEL) = 0;
	balloon.features = *reg(VIRTIO_MMIO_DEVICE_FEATURES) & want;
	if ((balloon.features & need) != need)
		return false;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 0;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES) = balloon.features;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 1;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES) = VIRTIO_F_VERSION_1 >> 32;
	status |= VIRTIO_STATUS_FEATURES_OK;
	*reg(VIRTIO_MMIO_STATUS) = status;
	return *reg(VIRTIO_MMIO_STATUS) == status;
}

static bool set_queue(int number)
{
	struct queue *q = &queues[number];

	*reg(VIRTIO_MMIO_QUEUE_SEL) = number;
	*reg(VIRTIO_MMIO_QUEUE_NUM) = QUEUE_SIZE;
	*reg(VIRTIO_MMIO_QUEUE_DESC_LOW) = gpa_raw(kernel_gpa(q->desc)); /* below 4 GiB: the upper halves are 0 */
	*reg(VIRTIO_MMIO_QUEUE_DRIVER_LOW) = gpa_raw(kernel_gpa(&q->avail));
	*reg(VIRTIO_MMIO_QUEUE_DEVICE_LOW) = gpa_raw(kernel_gpa(&q->used));
	*reg(VIRTIO_MMIO_QUEUE_READY) = 1;
	return *reg(VIRTIO_MMIO_QUEUE_READY);
}

/* Shows the program the runs to expand, and gives it pages for PFNs. */
static int show_pages(void)
{
	if (pt_map(USER_PAGE(UBALLOON_AT), kernel_gpa(job), URUN_PAGES, PTE_P | PTE_U | PTE_NX) < 0)
		return -ENOMEM;
	for (int i = 0; i < UPFN_PAGES; i++) {
		pfn_pages[i] = page_alloc();
		if (!gpa_raw(pfn_pages[i]) || pt_map(USER_PAGE(UBALLOON_AT + URUN_PAGES + i), pfn_pages[i], 1,
		                                     PTE_P | PTE_W | PTE_U | PTE_NX) < 0)
			return -ENOMEM;
	}
	return 0;
}

static uint32_t count_memory(void)
{
	uint32_t nr, pages = 0;
	const uint64_t *memory = memory_ranges(&nr);

	for (uint32_t i = 0; i < nr; i++)
		pages += fdt_u64(memory[2 * i + 1]) / PAGE_SIZE;
	return pages;
}

/* Is the node's device a balloon with an interrupt that we have a gate for? Its registers are mapped then. */
static bool probe(void)
{
	uint32_t len;
	const uint64_t *base = fdt_property(device_tree, FDT_PREFIX("virtio_"), FDT_NAME("reg"), &len);
	/* The first property with this beginning is `interrupts`; `interrupt-parent` comes after it. */
	const uint32_t *vector = fdt_property(device_tree, FDT_PREFIX("virtio_"), FDT_PREFIX("interr"), &len);

	if (!base || !vector || fdt_u32(*vector) >= NR_VECTORS)
		return false;
	kernel_pt[DEVICE_PAGE] = fdt_u64(*base) | PTE_P | PTE_W | PTE_NX;
	return *reg(VIRTIO_MMIO_MAGIC) == VIRTIO_MMIO_MAGIC_VALUE &&
	       *reg(VIRTIO_MMIO_VERSION) == VIRTIO_MMIO_VERSION_VALUE &&
	       *reg(VIRTIO_MMIO_DEVICE_ID) == VIRTIO_ID_BALLOON;
}

static const struct device_hooks hooks = {
    .interrupt = balloon_interrupt,
    .preempt = balloon_preempt,
    .freed = balloon_freed,
    .relieve = balloon_relieve,
    .spare = balloon_spare,
};

/* Lazily, for the program that asks for it: others pay nothing. */
int64_t balloon_start(struct proc *p)
{
	if (balloon.server)
		return -EBUSY;
	if (!probe() || !negotiate())
		return -ENODEV;
	for (int i = 0; i <= VIRTIO_BALLOON_QUEUE_STATS; i++)
		if (!set_queue(i))
			return -ENODEV;
	if (balloon.features & VIRTIO_BALLOON_F_REPORTING && !set_queue(VIRTIO_BALLOON_QUEUE_REPORTING))
		return -ENODEV;
	if (show_pages() < 0)
		return -ENOMEM;
	balloon.total = count_memory();
	balloon.server = p;
	device_register(&hooks);
	*reg(VIRTIO_MMIO_STATUS) =
	    VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK;
	balloon.target = *reg(VIRTIO_MMIO_CONFIG);
	offer_stats();
	return 0;
}
