/* SPDX-License-Identifier: MIT */
#include "bench/environment.h"

#include "model/walk.h"

const struct bench_environment bench_environments[BENCH_NR_WHERE] = {
    [BENCH_NATIVE] = {"native", NULL},
    [BENCH_NESTED] = {"nested", "nested"},
    [BENCH_SHADOW] = {"shadow", "shadow"},
};

bool bench_stage_is_software(const struct host_info *host)
{
	return host->second_stage == HOST_STAGE_SOFTWARE_PVM || host->second_stage == HOST_STAGE_SOFTWARE_NPT0 ||
	       host->second_stage == HOST_STAGE_SOFTWARE_EPT0;
}

const char *bench_times_na(const struct host_info *host)
{
	static const char *const reasons[] = {
	    [HOST_EMULATOR_QEMU] = "emulated by QEMU (TCG): its times say nothing about a CPU",
	    [HOST_EMULATOR_BOCHS] = "emulated by Bochs: its times say nothing about a CPU",
	};

	return reasons[host->emulator];
}

void bench_explain_host(const struct host_info *host, FILE *to)
{
	if (host->in_vm && !host->emulator)
		fprintf(to, "This host is itself a virtual machine (%s): what lies below adds to every row.\n",
		        host->hypervisor);
}

static void walk_1d(int levels, const char *text, struct bench_walk *ret_walk)
{
	ret_walk->refs = walk_refs_1d(levels);
	snprintf(ret_walk->text, sizeof(ret_walk->text), "1-D: %s", text);
}

static void walk_2d(int first, const char *first_name, int second, const char *second_name, struct bench_walk *ret_walk)
{
	ret_walk->refs = walk_refs_2d(first, second);
	snprintf(ret_walk->text, sizeof(ret_walk->text), "2-D: %s %d x %s %d", first_name, first, second_name, second);
}

void bench_walk_describe(const struct host_info *host, enum bench_where where, bool huge, struct bench_walk *ret_walk)
{
	/* A host kernel that uses LA57 uses it for its processes and for NPT. KVM's EPT has 4 levels while a guest's
	 * physical addresses have at most 48 bits, and Gnomon's guests have 4. */
	const int host_root = host_has_cpu_feature(host, HOST_CPU_LA57) ? 5 : 4;
	const bool npt = host->second_stage == HOST_STAGE_NPT;
	const bool shadow = where == BENCH_SHADOW;
	/* Gnomon's shadow maps a guest's 2 MiB page by 4 KiB leaves, and so does what KVM makes of it. */
	const int guest_root = 4 - (huge && !shadow);

	if (where == BENCH_NATIVE)
		walk_1d(host_root - huge, "process's tables", ret_walk);
	else if (bench_stage_is_software(host))
		walk_1d(guest_root, shadow ? "KVM's shadow of shadow" : "KVM's shadow", ret_walk);
	else if (npt || host->second_stage == HOST_STAGE_EPT)
		walk_2d(guest_root, shadow ? "shadow" : "guest", (npt ? host_root : 4) - huge, npt ? "NPT" : "EPT",
		        ret_walk);
	else
		*ret_walk = (struct bench_walk){.text = "unknown"};
}
