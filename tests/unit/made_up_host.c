/* SPDX-License-Identifier: MIT */
#include "made_up_host.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char root[64], sys_root[80], proc_root[80], kvm_path[80];

void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = strchr(path + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	cr_assert_not_null(f, "%s", path);
	fputs(text, f);
	fclose(f);
}

void put_cpu(const char *flags)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "processor\t: 0\nmodel name\t: Sundial 9000\nflags\t\t: fpu %s lm\n\nprocessor\t: 1\n", flags);
	put("proc/cpuinfo", text);
}

/* A host with nothing but a device node that opens and is not KVM: detection must not need a real one. */
void make_host(void)
{
	strcpy(root, "/tmp/gnomon-host.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	chmod(root, 0755);
	snprintf(sys_root, sizeof(sys_root), "%s/sys", root);
	snprintf(proc_root, sizeof(proc_root), "%s/proc", root);
	snprintf(kvm_path, sizeof(kvm_path), "%s/dev/kvm", root);
	put("dev/kvm", "");
	put("sys/kernel/version", "");
	put_cpu("nx smep");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void drop_host(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct host_info detect(void)
{
	const struct host_paths paths = {.sys = sys_root, .proc = proc_root, .kvm = kvm_path};
	struct host_info info;

	cr_assert_eq(host_detect(&info, &paths), 0);
	return info;
}

void expect_label(const char *label)
{
	const struct host_info info = detect();

	cr_expect_str_eq(host_second_stage_label(&info), label);
}

int find_missing(const struct host_info *info, const char *word)
{
	for (int i = 0; i < info->nr_missing; i++)
		if (strstr(info->missing[i].what, word))
			return i;
	return -1;
}

void expect_mend(const struct host_info *info, const char *what, bool required, const char *mend)
{
	const int i = find_missing(info, what);

	cr_assert_geq(i, 0, "nothing missing says '%s'", what);
	cr_expect_eq(info->missing[i].required, required);
	cr_expect_not_null(strstr(info->missing[i].mend, mend), "'%s' lacks '%s'", info->missing[i].mend, mend);
}
