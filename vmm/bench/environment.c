/* SPDX-License-Identifier: MIT */
#include "bench/environment.h"

#include "model/walk.h"

const struct bench_environment bench_environments[BENCH_NR_WHERE] = {
    [BENCH_NATIVE] = {"native", NULL},
    [BENCH_NESTED] = {"nested", "nested"},
    [BENCH_SHADOW] = {"shadow", "shadow"},
};

const char *bench_times_na(const struct host_info *host)
{
	static const char *const reasons[] = {
	    [HOST_EMULATOR_QEMU] = "emulated by QEMU (TCG): its times say nothing about a CPU",
	    [HOST_EMULATOR_BOCHS] = "emulated by Bochs: its times say nothing about a CPU",
	};

	return host->emulated_times ? NULL : reasons[host->emulator];
}

void bench_explain_host(const struct host_info *host, FILE *to)
{
	if (host->in_vm && !host->emulator)
		fprintf(to, "This host is itself a virtual machine (%s): what lies below adds to every row.\n",
		        host->hypervisor);
}

const char *bench_walk_words(const struct host_info *host, enum bench_where where)
{
	const bool shadow = where == BENCH_SHADOW;

	if (where == BENCH_NATIVE)
		return "1-D: process's tables";
	if (host_stage_is_software(host->second_stage))
		return shadow ? "1-D: KVM's shadow of shadow" : "1-D: KVM's shadow";
	switch (host->second_stage) {
	case HOST_STAGE_EPT:
		return shadow ? "2-D: shadow x EPT" : "2-D: guest's tables x EPT";
	case HOST_STAGE_NPT:
		return shadow ? "2-D: shadow x NPT" : "2-D: guest's tables x NPT";
	default:
		return "unknown";
	}
}

int bench_native_refs(const struct host_info *host, bool huge)
{
	/* A host kernel that uses LA57 uses it for its processes. */
	return walk_refs_1d((host_has_cpu_feature(host, HOST_CPU_LA57) ? 5 : 4) - huge);
}
