/* SPDX-License-Identifier: MIT */
#include "outfile_dir.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outfile.h"

char root[64];

void outfile_dir_make(void)
{
	strcpy(root, "/tmp/gnomon-outfile.XXXXXX");
	cr_assert(mkdtemp(root));
	cr_assert_eq(chdir(root), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void outfile_dir_drop(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *content(const char *path)
{
	static char text[1 << 16];
	FILE *f = fopen(path, "r");

	cr_assert(f, "there is no %s", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f, "%s", path);
	fputs(text, f);
	fclose(f);
}

int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

int check(const char *path)
{
	const int before = entries(root), r = outfile_check("--test", path);

	cr_expect_eq(entries(root), before, "%s: something stayed", path);
	return r;
}

int write_text(const char *path, const char *text)
{
	return outfile_write("--test", path, text, strlen(text), -1);
}

void expect_written(const char *path, const char *where)
{
	const int more = access(where, F_OK) < 0 && !strchr(where, '/');
	const int before = entries(root);

	cr_expect_eq(check(path), 0, "%s", path);
	cr_expect_eq(write_text(path, "new\n"), 0, "%s", path);
	cr_expect_str_eq(content(where), "new\n", "%s", path);
	cr_expect_eq(entries(root), before + more, "%s", path);
	cr_expect_eq(write_text(path, ""), 0, "%s", path);
	cr_expect_str_eq(content(where), "", "%s", path);
}
