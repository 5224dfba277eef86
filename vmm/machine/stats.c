/* SPDX-License-Identifier: MIT */
#include "machine/stats.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/outfile.h"
#include "kvm/kvm_stats.h"
#include "vm/vcpu.h"

static uint64_t total(const struct vm *vm, enum counter c)
{
	uint64_t sum = 0;

	for (int i = 0; i < vm->nr_vcpus; i++)
		sum += counter_read(&vm->vcpu[i]->counters, c);
	return sum;
}

static json_t *own_counters(const struct vm *vm)
{
	json_t *list = json_array();

	for (int c = 0; c < CTR_NR; c++) {
		json_t *each = json_array();

		for (int i = 0; i < vm->nr_vcpus; i++)
			json_array_append_new(each, json_integer(counter_read(&vm->vcpu[i]->counters, c)));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:o}", "name", counter_desc[c].name, "unit",
		                                      counter_desc[c].unit, "description", counter_desc[c].what,
		                                      "value", (json_int_t)total(vm, c), "vcpus", each));
	}
	return list;
}

static void add_kvm_stat(void *list, const struct kvm_stat *stat)
{
	char unit[64];

	if (stat->unit && stat->exponent)
		snprintf(unit, sizeof(unit), "%s * %d^%d", stat->unit, stat->base, stat->exponent);
	else
		snprintf(unit, sizeof(unit), "%s", stat->unit ? stat->unit : "events");
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "name", stat->name, "unit", unit, "description",
	                                      kvm_stat_what(stat->name), "value", (json_int_t)stat->value));
}

static json_t *kvm_counters(int fd)
{
	json_t *list = json_array();
	int stats_fd = kvm_stats_open(fd);

	if (stats_fd >= 0) {
		if (kvm_stats_read(stats_fd, add_kvm_stat, list) < 0)
			json_array_clear(list); /* half a list would mislead */
		close(stats_fd);
	}
	return list; /* empty from an old kernel */
}

/* A counter a line: short, and good for grep too. */
static void write_list(FILE *to, const char *name, const json_t *list)
{
	json_t *entry;
	size_t i;

	fprintf(to, "%s[", name);
	json_array_foreach (list, i, entry) {
		fputs(i ? ",\n" : "\n", to);
		(void)json_dumpf(entry, to, JSON_COMPACT);
	}
	fputc(']', to);
}

/* NULL without memory. */
static char *as_text(struct vm *vm, size_t *ret_len)
{
	json_t *own = own_counters(vm), *kvm = kvm_counters(vm->fd);
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_len);

	if (to) {
		write_list(to, "{\"version\":1,\n\"counters\":", own);
		write_list(to, ",\n\"kvm_vm\":", kvm);
		for (int i = 0; i < vm->nr_vcpus; i++) {
			json_t *vcpu = kvm_counters(vm->vcpu[i]->fd);

			write_list(to, i ? ",\n" : ",\n\"kvm_vcpus\":[", vcpu);
			json_decref(vcpu);
		}
		fputs("]}\n", to);
	}
	json_decref(own);
	json_decref(kvm);
	if (to && fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

int stats_write_json(struct vm *vm, const char *path, int give_up_fd)
{
	size_t len;
	char *text = as_text(vm, &len);
	int r;

	if (!text)
		return log_errno(ENOMEM, "statistics");
	r = outfile_write("--stats", path, text, len, give_up_fd);
	free(text);
	return r;
}

void stats_print(struct vm *vm, FILE *to)
{
	for (int c = 0; c < CTR_NR; c++)
		if (total(vm, c))
			fprintf(to, "  %-24s %12llu  %s\n", counter_desc[c].name, (unsigned long long)total(vm, c),
			        counter_desc[c].what);
}
