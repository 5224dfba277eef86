/* SPDX-License-Identifier: MIT */
/* What sysfs and procfs say about the host. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/host_parts.h"

static int read_some(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	return len;
}

int host_read_file(const char *root, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	int fd, len;

	if (snprintf(path, sizeof(path), "%s/%s", root, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read_some(fd, buf, size - 1);
	close(fd);
	if (len < 0)
		return len;
	while (len > 0 && isspace((unsigned char)buf[len - 1]))
		len--;
	buf[len] = 0;
	for (int i = 0; i < len; i++)
		if ((buf[i] < ' ' && buf[i] != '\n' && buf[i] != '\t') || buf[i] > '~')
			buf[i] = '?';
	return len;
}

static bool read_line(const char *root, const char *name, char *buf, size_t size)
{
	if (host_read_file(root, name, buf, size) < 0) {
		*buf = 0;
		return false;
	}
	buf[strcspn(buf, "\n")] = 0;
	return true;
}

/* The text after "key<blanks>:<blanks>" at a line's start, or NULL. */
static char *find_field(char *text, const char *key)
{
	size_t len = strlen(key);

	for (char *line = text; line; line = strchr(line, '\n')) {
		char *p;

		line += *line == '\n';
		if (strncmp(line, key, len) != 0)
			continue;
		p = line + len + strspn(line + len, " \t");
		if (*p == ':')
			return p + 1 + strspn(p + 1, " \t");
	}
	return NULL;
}

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strstr(line, word); p; p = strstr(p + 1, word))
		if ((p == line || p[-1] == ' ') && (p[len] == ' ' || p[len] == 0))
			return true;
	return false;
}

/* The CPUs of "0-3,8-11", the kernel's list format; 0 when it is something else. */
static int count_cpu_list(const char *p)
{
	int n = 0;

	do {
		char *end;
		long first = strtol(p, &end, 10), last = first;

		if (end == p || first < 0)
			return 0;
		if (*end == '-') {
			p = end + 1;
			last = strtol(p, &end, 10);
		}
		if (end == p || last < first || last - first > INT_MAX / 2 - n)
			return 0;
		n += last - first + 1;
		p = end;
	} while (*p++ == ',');
	return p[-1] ? 0 : n;
}

/* The lines "cpu0 ...", "cpu1 ..." of /proc/stat, which stand at its beginning; for a host without sysfs. */
static int count_cpu_lines(const char *proc)
{
	char path[PATH_MAX], line[512];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/stat", proc);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && strncmp(line, "cpu", 3) == 0)
		n += isdigit((unsigned char)line[3]) != 0;
	fclose(f);
	return n;
}

static void read_cpus(struct host_info *info, const struct host_paths *paths)
{
	char text[8192], list[512]; /* the first CPU of /proc/cpuinfo is enough */
	char *model, *flags;

	if (read_line(paths->sys, "devices/system/cpu/online", list, sizeof(list)))
		info->cpus = count_cpu_list(list);
	if (info->cpus == 0)
		info->cpus = count_cpu_lines(paths->proc);
	if (host_read_file(paths->proc, "cpuinfo", text, sizeof(text)) < 0)
		return;
	model = find_field(text, "model name");
	flags = find_field(text, "flags");
	if (model)
		snprintf(info->cpu_model, sizeof(info->cpu_model), "%.*s", (int)strcspn(model, "\n"), model);
	if (!flags)
		return;
	flags[strcspn(flags, "\n")] = 0;
	for (int f = 0; f < HOST_NR_CPU_FEATURES; f++)
		if (has_word(flags, host_cpu_feature_name(f)))
			info->cpu_features |= 1u << f;
}

static uint64_t read_kib_field(char *text, const char *key)
{
	const char *p = find_field(text, key);

	return p && isdigit((unsigned char)*p) ? strtoull(p, NULL, 10) << 10 : 0;
}

static void read_memory(struct host_info *info, const char *proc)
{
	char text[4096];

	if (host_read_file(proc, "meminfo", text, sizeof(text)) < 0)
		return;
	info->memory_total = read_kib_field(text, "MemTotal");
	info->memory_available = read_kib_field(text, "MemAvailable");
}

/* "always [madvise] never": the word in brackets. */
static void read_choice(const char *sys, const char *name, char *word, size_t size)
{
	char line[128], *open, *end;

	*word = 0;
	if (!read_line(sys, name, line, sizeof(line)))
		return;
	open = strchr(line, '[');
	end = open ? strchr(open, ']') : NULL;
	if (end)
		snprintf(word, size, "%.*s", (int)(end - open - 1), open + 1);
}

static bool read_number(const char *sys, const char *name, uint64_t *ret_value)
{
	char line[32], *end;
	uint64_t v;

	if (!read_line(sys, name, line, sizeof(line)) || !isdigit((unsigned char)*line))
		return false;
	v = strtoull(line, &end, 10);
	if (*end)
		return false;
	*ret_value = v;
	return true;
}

static void read_huge_pages(struct host_info *info, const char *sys)
{
	struct host_hugetlb *small = &info->hugetlb_2m, *large = &info->hugetlb_1g;

	read_choice(sys, "kernel/mm/transparent_hugepage/enabled", info->thp_enabled, sizeof(info->thp_enabled));
	read_choice(sys, "kernel/mm/transparent_hugepage/shmem_enabled", info->thp_shmem, sizeof(info->thp_shmem));
	read_choice(sys, "kernel/mm/transparent_hugepage/defrag", info->thp_defrag, sizeof(info->thp_defrag));
	small->offered = read_number(sys, "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", &small->total) &&
	                 read_number(sys, "kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &small->free);
	large->offered = read_number(sys, "kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", &large->total) &&
	                 read_number(sys, "kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", &large->free);
}

/*
 * Which vendor module drives KVM. Only one can; but a module built into the kernel has its folder in
 * sysfs even if it refused to start, so: one that was loaded and is live, else one whose CPU flag is
 * there, else the only one.
 */
static void find_module(struct host_info *info, const char *sys)
{
	static const int flag[] = {[HOST_MODULE_INTEL] = HOST_CPU_VMX, [HOST_MODULE_AMD] = HOST_CPU_SVM};
	enum host_module live = 0, fits = 0, any = 0;
	int nr = 0;

	for (enum host_module m = HOST_MODULE_INTEL; m <= HOST_MODULE_PVM; m++) {
		char path[PATH_MAX], state[16];

		snprintf(path, sizeof(path), "%s/module/%s", sys, host_module_name(m));
		if (access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "module/%s/initstate", host_module_name(m));
		if (read_line(sys, path, state, sizeof(state)) && strcmp(state, "live") == 0)
			live = m;
		if (m != HOST_MODULE_PVM && host_has_cpu_feature(info, flag[m]))
			fits = m;
		any = m;
		nr++;
	}
	info->module = live ? live : fits ? fits : nr == 1 ? any : HOST_MODULE_NONE;
}

void host_read_files(struct host_info *info, const struct host_paths *paths)
{
	char path[PATH_MAX];
	struct utsname u;

	snprintf(path, sizeof(path), "%s/kernel", paths->sys);
	info->sysfs = access(path, F_OK) == 0;
	if (!read_line(paths->proc, "sys/kernel/osrelease", info->kernel, sizeof(info->kernel)) && uname(&u) == 0)
		snprintf(info->kernel, sizeof(info->kernel), "%s", u.release);
	read_cpus(info, paths);
	read_memory(info, paths->proc);
	read_huge_pages(info, paths->sys);
	read_line(paths->sys, "class/dmi/id/sys_vendor", info->dmi_vendor, sizeof(info->dmi_vendor));
	read_line(paths->sys, "class/dmi/id/product_name", info->dmi_product, sizeof(info->dmi_product));
	find_module(info, paths->sys);
}
