/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss_vm.h"

#include <errno.h>
#include <gnomon/abi.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dev/serial.h"
#include "platform/platform.h"
#include "platform/walks.h"
#include "shadow/shadow.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#define MEMORY  (256ull << 20) /* the image, its tables and the arena's; below 4 GiB */
#define TABLES  32768          /* more than pages that lie apart need: 20,500 */

struct miss_vm {
	struct vm vm;
	struct serial console;
	struct platform platform;
	struct boot_state boot;
	bool has_vm, has_platform;
	struct bus_device port;
	struct miss_hand hand; /* the vCPU's thread, which waits at the guest's port */
	/* A count in place of a block: only the vCPU's own thread can walk. */
	const uint64_t *pages; /* NULL: a block */
	size_t nr_pages;
	struct walk_refs refs;
};

static void count(struct miss_vm *m, struct vcpu *vcpu)
{
	m->refs = (struct walk_refs){0};
	for (size_t i = 0; i < m->nr_pages; i++) {
		struct walk_refs one;

		vcpu_count_walks(vcpu, gva_init(m->pages[i]), 1, &one);
		if (!one.pages)
			continue;
		m->refs.low = m->refs.pages && m->refs.low < one.low ? m->refs.low : one.low;
		m->refs.high = m->refs.high > one.high ? m->refs.high : one.high;
		m->refs.pages += one.pages;
	}
	m->pages = NULL;
}

/* The vCPU's thread: what was measured goes out, the next block comes in. */
static void at_port(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct miss_vm *m = dev->owner;
	struct vcpu *vcpu = who;
	struct arena_block *guests;
	uint32_t at = 0;

	if (!a->write || a->size != sizeof(at) || a->count != 1)
		return;
	memcpy(&at, a->data, sizeof(at));
	guests = stage2_ptr(&m->vm.stage2, gpa_init(at), sizeof(*guests));
	if (!guests) {
		vm_kill(vcpu, "its block lies outside memory");
		return;
	}
	m->hand.block = *guests;
	miss_hand_wait(&m->hand);
	while (m->pages) {
		count(m, vcpu);
		miss_hand_wait_again(&m->hand);
	}
	*guests = m->hand.block;
	miss_hand_begin(&m->hand);
}

/* What became of the wait for the guest at its port, logged. */
static int told(const struct miss_vm *m, int r)
{
	if (r < 0)
		log_error("the guest in %s mode %s", m->vm.paging->name,
		          r == -ETIMEDOUT ? "does not come back" : "came to an end");
	return r;
}

static int start(struct miss_vm *m, const struct miss_vm_config *c)
{
	const struct vm_config config = {
	    .cpus = 1,
	    .memory = MEMORY,
	    .backing = BACKING_4K,
	    .arena = c->arena,
	    .arena_size = c->bytes,
	    .paging = c->paging,
	    .paging_config = {.shadow_opts = SHADOW_OPT_ALL, .shadow_memory = TABLES * PAGE_SIZE}};
	struct boot_params boot = {.image = c->image, .cpus = 1};
	char args[64];

	snprintf(args, sizeof(args), "arena %u %d", (unsigned)(c->bytes / PAGE_SIZE), c->kind);
	boot.bootargs = args;
	if (vm_create(&m->vm, &config) < 0)
		return -EIO;
	m->has_vm = true;
	m->hand.end_fd = m->vm.end_fd;
	/* KVM shadows tables where the host has no second stage, by itself for a fiftieth of memory only. */
	if (ioctl(m->vm.fd, KVM_SET_NR_MMU_PAGES, TABLES) < 0)
		return log_errno(errno, "KVM_SET_NR_MMU_PAGES");
	serial_init(&m->console, STDERR_FILENO, m->vm.end_fd, &m->vm.vcpu[0]->counters);
	bus_attach(&m->vm.pio, &m->console.bus);
	m->port = (struct bus_device){.base = GNOMON_PORT_BENCH, .len = 4, .access = at_port, .owner = m};
	bus_attach(&m->vm.pio, &m->port);
	if (boot_load(&boot, &m->vm.mem, &m->boot) < 0 || vm_create_paging(&m->vm) < 0 ||
	    platform_init(&m->platform, &m->vm, &m->boot, 0) < 0)
		return -EIO;
	m->has_platform = true;
	return vm_start(&m->vm, &m->boot) < 0 ? -EIO : told(m, miss_hand_await(&m->hand));
}

struct miss_vm *miss_vm_start(const struct miss_vm_config *config)
{
	struct miss_vm *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	if (miss_hand_init(&m->hand, -1) == 0 && start(m, config) == 0)
		return m;
	miss_vm_stop(m);
	return NULL;
}

int miss_vm_run(struct miss_vm *m, struct arena_block *block)
{
	return told(m, miss_hand_do(&m->hand, block));
}

struct walk_refs miss_vm_refs(struct miss_vm *m, const uint64_t *pages, size_t n)
{
	m->pages = pages;
	m->nr_pages = n;
	m->refs = (struct walk_refs){0};
	miss_hand_wake(&m->hand);
	if (miss_hand_await(&m->hand) < 0) /* it says so when it is to do the next block */
		return (struct walk_refs){0};
	return m->refs;
}

struct miss_hand *miss_vm_hand(struct miss_vm *m)
{
	return &m->hand;
}

uint64_t miss_vm_exits(const struct miss_vm *m)
{
	return counter_read(&m->vm.vcpu[0]->counters, CTR_EXITS);
}

uint64_t miss_vm_shadow_events(const struct miss_vm *m)
{
	return counter_shadow_events(&m->vm.vcpu[0]->counters);
}

void miss_vm_stop(struct miss_vm *m)
{
	if (!m)
		return;
	if (m->has_vm) {
		vm_end(&m->vm, VM_STOPPED, 0);
		miss_hand_wake(&m->hand);
		vm_join(&m->vm);
		if (m->has_platform)
			platform_destroy(&m->platform);
		vm_destroy(&m->vm);
	}
	miss_hand_close(&m->hand);
	free(m);
}
