/* SPDX-License-Identifier: MIT */
/* What the options of `gnomon run` are together, and what they leave open. */
#include <errno.h>

#include "cmd/run_options.h"
#include "machine/restore.h"
#include "paging/nested.h"
#include "paging/switch.h"
#include "virtio/balloon.h"

#define DEFAULT_MEMORY (64ull << 20)

/* What the snapshot has, where no option contradicts it. -EINVAL, logged. */
static int settle_restore(struct run_options *o)
{
	const struct snapshot_shape *shape = &o->snapshot.shape;
	const uint64_t features = restore_balloon_features(&o->snapshot);

	if (o->vm.memory && o->vm.memory != shape->memory) {
		log_error("--memory: the snapshot has %llu MiB, and %llu MiB are %s",
		          (unsigned long long)(shape->memory >> 20), (unsigned long long)(o->vm.memory >> 20),
		          o->vm.memory < shape->memory ? "too few" : "more than it knows of");
		return -EINVAL;
	}
	if (o->vm.cpus && (uint32_t)o->vm.cpus != shape->cpus) {
		log_error("--cpus: the snapshot has %u CPUs, and %d are %s", shape->cpus, o->vm.cpus,
		          (uint32_t)o->vm.cpus < shape->cpus ? "too few" : "more than it knows of");
		return -EINVAL;
	}
	if (o->balloon && o->balloon != features) {
		log_error("--balloon: the snapshot's guest was offered something else");
		return -EINVAL;
	}
	o->vm.memory = shape->memory;
	o->vm.cpus = (int)shape->cpus;
	o->balloon = features;
	if (!o->vm.paging)
		o->vm.paging = paging_by_name(shape->paging);
	return 0;
}

int run_options_settle(struct run_options *o)
{
	const uint64_t page = backing_page(o->vm.backing);

	if (o->restore && settle_restore(o) < 0)
		return -EINVAL;
	if (!o->vm.cpus)
		o->vm.cpus = 1;
	if (!o->vm.paging)
		o->vm.paging = &paging_nested;
	if (!o->vm.memory)
		o->vm.memory = page > DEFAULT_MEMORY ? page : DEFAULT_MEMORY;
	if (o->vm.memory % page) {
		log_error("--memory: %llu MiB is not a multiple of %s, as --backing %s needs",
		          (unsigned long long)(o->vm.memory >> 20), backing_page_words(o->vm.backing),
		          backing_name(o->vm.backing));
		return -EINVAL;
	}
	if (o->lazy && (!o->restore || backing_is_pool(o->vm.backing))) {
		log_error(o->restore ? "--lazy: --backing %s has no pages of a file" : "--lazy: it is for --restore",
		          backing_name(o->vm.backing));
		return -EINVAL;
	}
	if (o->dry_run && !o->paging_auto) {
		log_error("--dry-run: it is for --paging auto");
		return -EINVAL;
	}
	if (!o->enclaves.memory && (o->enclaves.levels || o->enclaves.kind != MONITOR_PROCESS || o->enclave_key)) {
		log_error("--enclave-levels, --enclave-monitor and --enclave-key: they are for --enclave-memory");
		return -EINVAL;
	}
	if (o->enclaves.memory && page > PAGE_SIZE) {
		log_error("--enclave-memory: enclaves take guest memory in pages of 4 KiB, and --backing %s has none",
		          backing_name(o->vm.backing));
		return -EINVAL;
	}
	if (!o->enclaves.levels)
		o->enclaves.levels = 2;
	o->enclaves.cpus = o->vm.cpus;
	if (page > PAGE_2M && o->balloon & VIRTIO_BALLOON_F_REPORTING) {
		log_error("--balloon: free-page-reporting has no effect with --backing %s: no guest reports whole "
		          "pages of %s",
		          backing_name(o->vm.backing), backing_page_words(o->vm.backing));
		return -EINVAL;
	}
	return 0;
}
