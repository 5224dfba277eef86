/* SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"
#include "kvm/kvm_stats.h"
#include "vm/lend.h"
#include "vm/reclaim.h"
#include "vm/reset.h"
#include "vm/vcpu.h"
#include "virtio/balloon.h"

#define BALLOON_STATS_MS 100 /* as long as a query waits for the guest */

static const char *name(void *machine)
{
	const struct machine *m = machine;
	const char *slash = strrchr(m->boot.image, '/');

	return slash ? slash + 1 : m->boot.image;
}

static int nr_vcpus(void *machine)
{
	return ((struct machine *)machine)->vm->nr_vcpus;
}

static bool running(void *machine)
{
	return !((struct machine *)machine)->stopped;
}

static int stop(void *machine, struct control_error *err)
{
	struct machine *m = machine;
	const int r = machine_stop(m, err);

	m->stopped = r == 0;
	return r;
}

static void cont(void *machine)
{
	struct machine *m = machine;

	m->stopped = false;
	vm_resume(m->vm);
}

static void quit(void *machine)
{
	vm_end(((struct machine *)machine)->vm, VM_QUIT, 0);
}

static int load_image(void *machine, struct boot_state *ret_boot)
{
	struct machine *m = machine;

	return boot_load_read(&m->boot, &m->image, &m->vm->mem, ret_boot);
}

static int reset(void *machine, struct control_error *err)
{
	struct machine *m = machine;
	int vcpu, r;

	if (m->restored)
		return control_fail(err, ENOENT,
		                    "The machine comes from a snapshot, which has no image to start anew; the "
		                    "guest goes on");
	r = boot_read(&m->boot, &m->vm->mem, &m->image); /* before the guest is given up for it */
	if (r < 0)
		return control_fail(err, -r, "The image cannot be loaded (%s); the guest goes on", strerror(-r));
	r = machine_pause(m, err);
	if (r < 0) {
		boot_image_free(&m->image);
		return r;
	}
	r = vm_reset(m->vm, load_image, m, &vcpu);
	boot_image_free(&m->image);
	vm_resume(m->vm);
	if (r == -EBUSY)
		return control_fail(err, EBUSY, "vCPU %d is held up by a device: does anybody read the console?", vcpu);
	return r < 0 ? control_fail(err, -r, "the machine cannot be started anew; the run ends") : 0;
}

/* --- statistics --- */

struct relay {
	control_stat_fn fn;
	void *arg;
};

static void relay_kvm_stat(void *arg, const struct kvm_stat *stat)
{
	static const char *const types[] = {
	    [KVM_STAT_CUMULATIVE] = "cumulative", [KVM_STAT_INSTANT] = "instant", [KVM_STAT_PEAK] = "peak"};
	const struct relay *r = arg;

	r->fn(r->arg, &(struct control_stat){.name = stat->name,
	                                     .type = types[stat->type],
	                                     .unit = stat->unit,
	                                     .base = stat->base,
	                                     .exponent = stat->exponent,
	                                     .what = kvm_stat_what(stat->name),
	                                     .value = stat->value});
}

/* Bytes of guest RAM that are in the host's memory now; 0 when the host does not say. */
static uint64_t resident(const struct guest_mem *mem)
{
	unsigned char in_core[4096];
	uint64_t pages = 0;

	for (int i = 0; i < mem->nr_regions; i++) {
		const struct mem_region *r = &mem->region[i];

		for (uint64_t at = 0; at < r->size; at += sizeof(in_core) * PAGE_SIZE) {
			uint64_t len =
			    r->size - at < sizeof(in_core) * PAGE_SIZE ? r->size - at : sizeof(in_core) * PAGE_SIZE;

			if (mincore(r->host + at, len, in_core) < 0)
				return 0;
			for (uint64_t p = 0; p < len / PAGE_SIZE; p++)
				pages += in_core[p] & 1;
		}
	}
	return pages * PAGE_SIZE;
}

static void relay_counters(const struct vm *vm, int first, int end, const struct relay *r)
{
	for (int c = 0; c < CTR_NR; c++) {
		const bool bytes = strcmp(counter_desc[c].unit, "bytes") == 0;
		uint64_t sum = 0;

		for (int i = first; i < end; i++)
			sum += counter_read(&vm->vcpu[i]->counters, c);
		r->fn(r->arg, &(struct control_stat){.name = counter_desc[c].name,
		                                     .type = "cumulative",
		                                     .unit = bytes ? "bytes" : NULL,
		                                     .what = counter_desc[c].what,
		                                     .value = sum});
	}
}

static void relay_memory(const struct vm *vm, const struct relay *r)
{
	r->fn(r->arg, &(struct control_stat){.name = "memory_guest",
	                                     .type = "instant",
	                                     .unit = "bytes",
	                                     .what = "RAM that the guest was given",
	                                     .value = vm->mem.size});
	r->fn(r->arg, &(struct control_stat){.name = "memory_host",
	                                     .type = "instant",
	                                     .unit = "bytes",
	                                     .what = "of it, in the host's memory now",
	                                     .value = resident(&vm->mem)});
}

static void stats(void *machine, enum stats_target target, enum stats_provider provider, int vcpu, control_stat_fn fn,
                  void *arg)
{
	const struct machine *m = machine;
	const int fd = m->kvm_stats[target == STATS_VM ? 0 : 1 + vcpu];
	struct relay r = {.fn = fn, .arg = arg};

	if (provider == STATS_KVM) {
		if (fd >= 0)
			(void)!kvm_stats_read(fd, relay_kvm_stat, &r);
	} else if (target == STATS_VM) {
		relay_counters(m->vm, 0, m->vm->nr_vcpus, &r);
		relay_memory(m->vm, &r);
	} else {
		relay_counters(m->vm, vcpu, vcpu + 1, &r);
	}
}

/* --- memory --- */

/* The balloon's state, if a driver of the guest's serves it. */
static int active_balloon(const struct machine *m, struct balloon_status *ret_status, struct control_error *err)
{
	if (!m->vm->balloon)
		return control_fail_class(err, ERROR_NOT_ACTIVE, ENODEV, "No balloon device has been activated");
	balloon_get_status(m->vm->balloon, ret_status);
	if (ret_status->failure)
		return control_fail_class(err, ERROR_NOT_ACTIVE, ENOTCONN, "The guest's balloon driver failed: %s",
		                          ret_status->failure);
	if (!ret_status->driver)
		return control_fail_class(err, ERROR_NOT_ACTIVE, ENOTCONN, "The guest drives no balloon");
	return 0;
}

static int balloon_get(void *machine, struct control_balloon *ret_balloon, struct control_error *err)
{
	struct balloon_status s;
	int r = active_balloon(machine, &s, err);

	if (r < 0)
		return r;
	*ret_balloon = (struct control_balloon){.actual = s.ram - s.ballooned, .target = s.ram - s.target};
	return 0;
}

static int balloon_set(void *machine, uint64_t bytes, struct control_error *err)
{
	const struct machine *m = machine;
	struct balloon_status s;
	int r = active_balloon(m, &s, err);

	if (r < 0)
		return r;
	/* No driver finds all of a GiB free at once; one that gave less would be stopped for it. */
	if (bytes < s.ram && guest_mem_host_page(&m->vm->mem) > PAGE_2M)
		return control_fail(
		    err, EOPNOTSUPP,
		    "Memory of 1 GiB pages (--backing hugetlb1g) is not for the balloon; `reclaim` takes "
		    "whole ones");
	r = balloon_set_target(m->vm->balloon, (bytes < s.ram ? s.ram - bytes : 0) & PAGE_MASK);
	return r < 0 ? control_fail(err, -r, "The guest cannot have %llu bytes", (unsigned long long)bytes) : 0;
}

/* Asks for a new report and waits a moment for it; what the guest does not say is left out. */
static json_t *balloon_stats(void *machine, struct control_error *err)
{
	/* QEMU's names */
	static const char *const names[VIRTIO_BALLOON_S_NR] = {
	    "stat-swap-in",      "stat-swap-out",         "stat-major-faults", "stat-minor-faults", "stat-free-memory",
	    "stat-total-memory", "stat-available-memory", "stat-disk-caches",  "stat-htlb-pgalloc", "stat-htlb-pgfail",
	};
	const struct machine *m = machine;
	struct balloon_stats now;
	struct balloon_status s;
	uint64_t seq;
	json_t *stats;

	if (active_balloon(m, &s, err) < 0)
		return NULL;
	seq = balloon_request_stats(m->vm->balloon);
	for (int ms = 0;; ms++) {
		balloon_get_stats(m->vm->balloon, &now);
		if (now.seq >= seq || ms == BALLOON_STATS_MS)
			break;
		usleep(1000);
	}
	stats = json_object();
	for (int i = 0; i < VIRTIO_BALLOON_S_NR; i++)
		if (now.valid >> i & 1)
			json_object_set_new(stats, names[i], json_integer((json_int_t)now.value[i]));
	return json_pack("{s:o, s:I, s:b}", "stats", stats, "reports", (json_int_t)now.seq, "fresh", now.seq >= seq);
}

static int slice(const struct machine *m, uint64_t gpa, uint64_t size, bool reclaim, struct control_error *err)
{
	int r = reclaim ? vm_reclaim(m->vm, gpa_init(gpa), size) : vm_release(m->vm, gpa_init(gpa), size);

	switch (r) {
	case 0:
		return 0;
	case -EINVAL:
		return control_fail(err, EINVAL, "This is not guest memory in whole pages of %llu bytes",
		                    (unsigned long long)guest_mem_host_page(&m->vm->mem));
	case -EPERM:
		return control_fail(err, EPERM, "Some of it belongs to enclave %u",
		                    vm_lent_to(m->vm, gpa_init(gpa), size));
	case -EALREADY:
		return control_fail(err, EALREADY, "Some of it %s", reclaim ? "is taken already" : "is not taken");
	case -EBUSY:
		return control_fail(err, EBUSY, "A vCPU is held up by a device: does anybody read the console?");
	default:
		return control_fail(err, -r, "The host has no memory for %s",
		                    reclaim ? "more holes in the guest's" : "this now");
	}
}

static int reclaim_slice(void *machine, uint64_t gpa, uint64_t size, struct control_error *err)
{
	return slice(machine, gpa, size, true, err);
}

static int release_slice(void *machine, uint64_t gpa, uint64_t size, struct control_error *err)
{
	return slice(machine, gpa, size, false, err);
}

static int snapshot_save(void *machine, const struct control_save *wanted, uint64_t *ret_pause_us,
                         struct control_error *err)
{
	return save_begin(&((struct machine *)machine)->save, wanted, ret_pause_us, err);
}

static void snapshot(void *machine, struct control_snapshot *ret_snapshot)
{
	save_look(&((struct machine *)machine)->save, ret_snapshot);
}

static int idle(void *machine)
{
	save_settle(&((struct machine *)machine)->save);
	return machine_idle(machine);
}

const struct control_ops machine_ops = {
    .name = name,
    .nr_vcpus = nr_vcpus,
    .running = running,
    .stop = stop,
    .cont = cont,
    .quit = quit,
    .reset = reset,
    .stats = stats,
    .balloon_get = balloon_get,
    .balloon_set = balloon_set,
    .balloon_stats = balloon_stats,
    .paging = machine_paging,
    .set_paging = machine_set_paging,
    .dump_tables = machine_dump_tables,
    .tables = machine_tables,
    .walk = machine_walk,
    .reclaim = reclaim_slice,
    .release = release_slice,
    .snapshot_save = snapshot_save,
    .snapshot = snapshot,
    .enclaves = machine_enclaves,
    .fingerprint = machine_fingerprint,
    .fingerprint_hashes = machine_fingerprint_hashes,
    .dedup_store = machine_dedup_store,
    .dedup = machine_dedup,
    .dedup_places = machine_dedup_places,
    .idle = idle,
};

int machine_init(struct machine *m, const struct machine_parts *parts)
{
	struct host_info *host = calloc(1, sizeof(*host));
	struct vm *vm = parts->vm;

	*m = (struct machine){.vm = vm, .boot = parts->boot, .restored = parts->restored, .share = parts->share};
	for (int i = 0; i <= VM_MAX_CPUS; i++)
		m->kvm_stats[i] = -1;
	if (!host)
		return log_errno(ENOMEM, "control socket");
	m->second_stage = host_detect(host, NULL) == 0 ? host_second_stage_label(host) : "unknown";
	m->refuses_1g = host->second_stage == HOST_STAGE_SOFTWARE_PVM;
	free(host);
	if (save_init(&m->save, vm, parts->console, parts->platform, name(m)) < 0)
		return -ENOMEM;
	m->kvm_stats[0] = kvm_stats_open(vm->fd);
	for (int i = 0; i < vm->nr_vcpus; i++) {
		int r = vcpu_wait_made(vm->vcpu[i]);

		if (r < 0) {
			machine_destroy(m);
			return r;
		}
		m->kvm_stats[1 + i] = kvm_stats_open(vm->vcpu[i]->fd);
	}
	return 0;
}

void machine_destroy(struct machine *m)
{
	machine_fingerprints_end(m);
	for (int i = 0; i <= VM_MAX_CPUS; i++)
		if (m->kvm_stats[i] >= 0)
			close(m->kvm_stats[i]);
	save_destroy(&m->save);
}
