/* SPDX-License-Identifier: MIT */
/* gnomon host: what this host can do, for people or as JSON. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "host/host.h"
#include "vm/vm.h"
#include "cpu/zydis.h"

#define GIB (1ull << 30)

static const char help[] =
    "Usage: gnomon host [--json]\n"
    "Reports what this host can do, what is missing, and how to fix that.\n"
    "Needs neither root nor /dev/kvm.\n"
    "\n"
    "  --json  print one JSON object; sizes are in bytes; \"ready\" says whether `gnomon run` should work\n"
    "  --help\n"
    "\n"
    "Exit status: 0 the report was made, whatever it says; 1 the host failed; 2 usage.\n"
    "GNOMON_KVM_DEVICE names another device than /dev/kvm.\n";

/* strerror's words, but for the two whose meaning here is another. */
static const char *pmu_words(const struct host_info *h)
{
	switch (h->pmu_error) {
	case 0:
		return "hardware cycles can be counted";
	case ENOENT:
		return "none: the CPU shows no hardware counters";
	case ENODATA:
		return "none: the counter of cycles stands still";
	default:
		return strerror(h->pmu_error);
	}
}

static void print_missing(const struct host_info *h, bool required, const char *title)
{
	bool first = true;

	for (int i = 0; i < h->nr_missing; i++) {
		const struct host_missing *m = &h->missing[i];

		if (m->required != required)
			continue;
		if (first)
			printf("\n%s\n", title);
		first = false;
		printf("  %s\n      -> %s\n", m->what, m->mend);
	}
}

static void print_features(const struct host_info *h, bool present)
{
	for (int f = 0; f < HOST_NR_CPU_FEATURES; f++)
		if (host_has_cpu_feature(h, f) == present)
			printf(" %s", host_cpu_feature_name(f));
}

static void print_hugetlb(const char *size, const struct host_hugetlb *p)
{
	if (p->offered)
		printf("%s %llu free of %llu", size, (unsigned long long)p->free, (unsigned long long)p->total);
	else
		printf("%s not offered", size);
}

static const char *or_unknown(const char *s)
{
	return *s ? s : "unknown";
}

static void print_kvm(const struct host_info *h)
{
	const char *module = host_module_name(h->module);

	printf("KVM            %s: ", h->kvm_path);
	if (h->kvm == HOST_KVM_OK)
		printf("API version %d", h->api_version);
	else
		printf("%s", h->kvm_error ? strerror(h->kvm_error) : "not KVM");
	printf("; module %s\n", module ? module : "unknown");
	printf("second stage   %s\n               because %s\n", host_second_stage_label(h), h->second_stage_source);
}

static void print_caps(const struct host_info *h)
{
	if (!h->api_version)
		return;
	puts("\nKVM capabilities used");
	for (int i = 0; i < HOST_NR_CAPS; i++)
		printf("  %-8s %-20s %s\n", h->cap[i] ? "there" : "missing", host_caps[i].name, host_caps[i].use);
}

static void print_cpus(const struct host_info *h)
{
	if (h->cpus)
		printf("CPUs           %d x %s\n", h->cpus, or_unknown(h->cpu_model));
	else
		printf("CPUs           unknown number, %s\n", or_unknown(h->cpu_model));
	if (!h->cpu_features) {
		printf("CPU features   unknown\n");
		return;
	}
	printf("CPU features  ");
	print_features(h, true);
	printf("; not:");
	print_features(h, false);
	putchar('\n');
}

static void print_text(const struct host_info *h)
{
	print_kvm(h);
	printf("kernel         %s\n", or_unknown(h->kernel));
	print_cpus(h);
	printf("in a VM        %s", h->in_vm ? "yes: " : "no");
	if (h->in_vm)
		printf("%s", or_unknown(h->hypervisor));
	if (*h->dmi_vendor || *h->dmi_product)
		printf(" (%s %s)", h->dmi_vendor, h->dmi_product);
	if (h->emulator)
		printf("\nemulated       by %s: times say nothing about a CPU", host_emulator_name(h->emulator));
	printf("\nPMU            %s\n", pmu_words(h));
	printf("decoder        %s %s (for `--paging shadow`)\n", ZYDIS_LIBRARY, h->zydis ? "there" : "missing");
	if (h->memory_total)
		printf("memory         %.1f GiB, %.1f GiB available%s\n", (double)h->memory_total / GIB,
		       (double)h->memory_available / GIB, h->memory_limited ? ", as the cgroup has no more" : "");
	else
		printf("memory         unknown\n");
	printf("THP            %s; shmem %s; defrag %s\n", or_unknown(h->thp_enabled), or_unknown(h->thp_shmem),
	       or_unknown(h->thp_defrag));
	printf("hugetlb        %s", h->sysfs ? "" : "unknown");
	if (h->sysfs) {
		print_hugetlb("2 MiB:", &h->hugetlb_2m);
		print_hugetlb("; 1 GiB:", &h->hugetlb_1g);
	}
	putchar('\n');
	print_caps(h);
	print_missing(h, true, "Missing");
	print_missing(h, false, "Would help");
	printf("\n%s\n", host_ready(h) ? "Ready: `gnomon run` should work." : "Not ready: see Missing.");
}

static json_t *text_or_null(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

/* 0 stands for what could not be found out. */
static json_t *number_or_null(uint64_t v)
{
	return v ? json_integer((json_int_t)v) : json_null();
}

static json_t *hugetlb_json(const struct host_hugetlb *p)
{
	return p->offered ? json_pack("{s:I, s:I}", "total", (json_int_t)p->total, "free", (json_int_t)p->free)
	                  : json_null();
}

static json_t *kvm_json(const struct host_info *h)
{
	static const char *const states[] = {
	    [HOST_KVM_OK] = "ok",     [HOST_KVM_ABSENT] = "absent",   [HOST_KVM_DENIED] = "denied",
	    [HOST_KVM_BUSY] = "busy", [HOST_KVM_FOREIGN] = "foreign", [HOST_KVM_BROKEN] = "broken",
	};
	json_t *caps = json_array();

	for (int i = 0; h->api_version && i < HOST_NR_CAPS; i++)
		json_array_append_new(caps,
		                      json_pack("{s:s, s:b, s:i, s:s}", "name", host_caps[i].name, "required",
		                                host_caps[i].required, "value", h->cap[i], "use", host_caps[i].use));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "device", h->kvm_path, "state", states[h->kvm], "error",
	                 h->kvm_error ? json_string(strerror(h->kvm_error)) : json_null(), "api_version",
	                 h->api_version ? json_integer(h->api_version) : json_null(), "module",
	                 text_or_null(host_module_name(h->module)), "capabilities", caps);
}

static json_t *cpu_json(const struct host_info *h)
{
	json_t *features = h->cpu_features ? json_object() : json_null();

	for (int f = 0; h->cpu_features && f < HOST_NR_CPU_FEATURES; f++)
		json_object_set_new(features, host_cpu_feature_name(f), json_boolean(host_has_cpu_feature(h, f)));
	return json_pack("{s:o, s:o, s:o}", "model", text_or_null(h->cpu_model), "online",
	                 number_or_null((uint64_t)h->cpus), "features", features);
}

static json_t *memory_json(const struct host_info *h)
{
	json_t *thp = json_pack("{s:o, s:o, s:o}", "enabled", text_or_null(h->thp_enabled), "shmem_enabled",
	                        text_or_null(h->thp_shmem), "defrag", text_or_null(h->thp_defrag));

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "total", number_or_null(h->memory_total), "available",
	                 number_or_null(h->memory_available), "thp", thp, "hugetlb_2m", hugetlb_json(&h->hugetlb_2m),
	                 "hugetlb_1g", hugetlb_json(&h->hugetlb_1g));
}

static json_t *missing_json(const struct host_info *h)
{
	json_t *list = json_array();

	for (int i = 0; i < h->nr_missing; i++)
		json_array_append_new(list, json_pack("{s:b, s:s, s:s}", "required", h->missing[i].required, "what",
		                                      h->missing[i].what, "mend", h->missing[i].mend));
	return list;
}

static json_t *host_json(const struct host_info *h)
{
	json_t *stage = json_pack("{s:s, s:s}", "label", host_second_stage_label(h), "source", h->second_stage_source);
	json_t *vm = json_pack("{s:b, s:o, s:o, s:o, s:o}", "inside", h->in_vm, "hypervisor",
	                       text_or_null(h->hypervisor), "dmi_vendor", text_or_null(h->dmi_vendor), "dmi_product",
	                       text_or_null(h->dmi_product), "emulator", text_or_null(host_emulator_name(h->emulator)));
	json_t *pmu = json_pack("{s:b, s:s}", "available", h->pmu_error == 0, "detail", pmu_words(h));

	json_t *decoder = json_pack("{s:s, s:b}", "library", ZYDIS_LIBRARY, "found", h->zydis);

	return json_pack("{s:i, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version", 1, "gnomon",
	                 GNOMON_VERSION, "ready", host_ready(h), "kernel", text_or_null(h->kernel), "second_stage",
	                 stage, "kvm", kvm_json(h), "cpu", cpu_json(h), "memory", memory_json(h), "pmu", pmu, "vm", vm,
	                 "decoder", decoder, "missing", missing_json(h));
}

static int print_json(const struct host_info *h)
{
	json_t *root = host_json(h);

	if (!root) {
		return log_errno(ENOMEM, "no JSON");
	}
	put_json(root, JSON_INDENT(2));
	json_decref(root);
	return 0;
}

int cmd_host(int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct host_info info;
	bool json = false;
	int opt, r;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 0;
		}
		if (opt != 'j')
			return STATUS_USAGE;
		json = true;
	}
	if (optind < argc) {
		log_error("host: unexpected argument '%s' (try `gnomon host --help`)", argv[optind]);
		return STATUS_USAGE;
	}
	r = host_detect(&info, NULL);
	if (r < 0) {
		log_errno(-r, "GNOMON_KVM_DEVICE");
		return STATUS_HOST_FAILURE;
	}
	if (json)
		r = print_json(&info);
	else
		print_text(&info);
	return r < 0 ? STATUS_HOST_FAILURE : 0;
}
