/* SPDX-License-Identifier: MIT */
/*
 * Three threads at one slice of 2 MiB, as the balloon's worker, a client that reclaims, and a client that merges: each
 * cuts the slice and joins it again under the locks of a real VM, which has no CPUs here. No page is lost, none has
 * another's bytes, each change counts once, and at last one leaf maps the slice.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/dedup.h"
#include "machine/machine.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

#define SIZE   (4 * PAGE_2M)
#define BLOCK  PAGE_2M /* the slice */
#define PAGES  512u
#define ROUNDS 50

static struct vm vm;
static struct machine machine = {.vm = &vm};
static unsigned joins; /* under the VM's locks */
static atomic_bool over;

/* What each of the two takes away and gives back. */
static struct hole {
	unsigned first, pages;
} hole[2] = {{3, 1}, {300, 16}};

static atomic_int at_work;
static atomic_bool two_at_work;

/* In the middle of a change others get the CPU. */
static void begin(void)
{
	if (atomic_fetch_add(&at_work, 1))
		atomic_store(&two_at_work, true);
	sched_yield();
}

static void end(void)
{
	sched_yield();
	atomic_fetch_sub(&at_work, 1);
}

static unsigned shootdown(struct vm *v, const struct stage2_slice *slice, unsigned n)
{
	begin();
	vm_withdraw(v, slice, n);
	end();
	return 0;
}

static void joined(struct vm *v, gpa_t gpa)
{
	begin();
	joins += gpa_raw(gpa) == BLOCK;
	end();
}

static const struct paging_ops no_mode = {.shootdown = shootdown, .joined = joined};

static uint8_t *page_at(unsigned i)
{
	return guest_mem_ptr(&vm.mem, maddr_init(BLOCK + i * PAGE_SIZE), PAGE_SIZE);
}

/* What is in each byte of a page. */
static uint8_t usual(unsigned i)
{
	return (uint8_t)(i % 255 + 1);
}

static void setup(void)
{
	cr_assert_eq(guest_mem_init(&vm.mem, SIZE, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&vm.stage2, &vm.mem), 0);
	withdrawal_init(&vm.withdrawal, &vm.mem);
	pthread_mutex_init(&vm.lock, NULL);
	pthread_mutex_init(&vm.paging_lock, NULL);
	pthread_mutex_init(&vm.reclaim_lock, NULL);
	vm.paging = &no_mode;
	vm.vcpu[0] = calloc(1, sizeof(*vm.vcpu[0])); /* its counters alone */
	cr_assert(vm.vcpu[0]);
	for (unsigned i = 0; i < PAGES; i++)
		memset(page_at(i), usual(i), PAGE_SIZE);
}

static void teardown(void)
{
	free(vm.vcpu[0]);
	withdrawal_destroy(&vm.withdrawal);
	stage2_destroy(&vm.stage2);
	guest_mem_destroy(&vm.mem);
}

TestSuite(reclaim_race, .init = setup, .fini = teardown);

static bool holds(unsigned i, uint8_t byte)
{
	const uint8_t *page = page_at(i);

	return page[0] == byte && memcmp(page, page + 1, PAGE_SIZE - 1) == 0;
}

/* NULL, or what went wrong. What comes back is zero, and is used as before: it can be merged once more. */
static void *take_and_give_back(void *arg)
{
	const struct hole *h = arg;
	const gpa_t gpa = gpa_init(BLOCK + h->first * PAGE_SIZE);

	for (int round = 0; round < ROUNDS; round++) {
		if (vm_reclaim(&vm, gpa, h->pages * PAGE_SIZE) < 0 || vm_release(&vm, gpa, h->pages * PAGE_SIZE) < 0)
			return "reclaim or release fails";
		for (unsigned i = h->first; i < h->first + h->pages; i++) {
			if (!holds(i, 0))
				return "a page that came back is not zero";
			memset(page_at(i), usual(i), PAGE_SIZE);
		}
	}
	return NULL;
}

static void *merge_all(void *arg)
{
	const int *store = arg;
	const struct control_range all = {.gpa = BLOCK, .size = PAGE_2M};
	struct control_merged sum;
	struct control_error error = {0};

	do {
		if (machine_dedup(&machine, CONTROL_TAKE, *store, &all, 1, &sum, &error) < 0)
			return "dedup fails";
		if (sum.pages.merged + sum.pages.differ + sum.pages.absent + sum.pages.zero > PAGES)
			return "more pages than there are";
	} while (!atomic_load(&over));
	return NULL;
}

/* A store with what the slice holds, which nobody can change. */
static int make_store(void)
{
	const int fd = memfd_create("store", MFD_ALLOW_SEALING);

	cr_assert_eq(ftruncate(fd, PAGE_2M), 0);
	for (unsigned i = 0; i < PAGES; i++)
		cr_assert_eq(pwrite(fd, page_at(i), PAGE_SIZE, (off_t)i * PAGE_SIZE), PAGE_SIZE);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

Test(reclaim_race, three_at_one_slice)
{
	pthread_t thread[2], merger;
	struct stage2_mapping m;
	struct pt_violation v = {.what = ""};
	int store = make_store();
	void *wrong;

	cr_assert_eq(pthread_create(&merger, NULL, merge_all, &store), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, take_and_give_back, &hole[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], &wrong);
		cr_expect_null(wrong, "%s", (char *)wrong);
	}
	atomic_store(&over, true);
	pthread_join(merger, &wrong);
	cr_expect_null(wrong, "%s", (char *)wrong);
	for (unsigned i = 0; i < PAGES; i++)
		cr_expect(holds(i, usual(i)), "page %u", i);
	cr_expect(stage2_lookup(&vm.stage2, gpa_init(BLOCK), &m) && m.level == 2, "the slice is whole again");
	cr_expect_eq(stage2_audit(&vm.stage2, &v), 0, "%s", v.what);
	cr_expect_eq(counter_read(&vm.vcpu[0]->counters, CTR_STAGE2_RELEASED),
	             ROUNDS * (uint64_t)(hole[0].pages + hole[1].pages));
	cr_expect_eq(counter_read(&vm.vcpu[0]->counters, CTR_STAGE2_COLLAPSES), joins);
	cr_expect_gt(joins, 0);
	cr_expect_not(atomic_load(&two_at_work));
	close(store);
}
