/* SPDX-License-Identifier: MIT */
/* A large file that takes another's place: the old one stays until the new one is complete, and nothing is left beside. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/replace.h"

static char dir[64], path[96];

static void setup(void)
{
	strcpy(dir, "/tmp/gnomon-replace-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
}

static unsigned files(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void teardown(void)
{
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(replace, .init = setup, .fini = teardown);

static void put(const char *text)
{
	struct replace r;

	cr_assert_eq(replace_begin(path, &r), 0);
	cr_assert_eq(write(r.fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(replace_commit(&r), 0);
}

static void expect(const char *text)
{
	char now[32] = "";
	const int fd = open(path, O_RDONLY);

	cr_assert_geq(fd, 0);
	cr_assert_geq(read(fd, now, sizeof(now) - 1), 0);
	close(fd);
	cr_expect_str_eq(now, text);
}

Test(replace, takes_the_place)
{
	put("one");
	expect("one");
	cr_assert_eq(chmod(path, 0640), 0);
	put("two");
	expect("two");
	cr_expect_eq(files(), 1u);

	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640u);
}

/* Whatever the umask: rights and attributes are the old file's, as base/outfile.h has them. */
Test(replace, is_as_the_old_one)
{
	struct stat st;
	char note[8];

	put("old");
	cr_assert_eq(chmod(path, 0664), 0);
	umask(077);
	put("new");
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0664, "%o", st.st_mode);
	if (setxattr(path, "user.note", "a note", 6, 0) == 0) {
		put("newer");
		cr_expect_eq(getxattr(path, "user.note", note, sizeof(note)), 6);
	}
}

Test(replace, dropped)
{
	struct replace r;

	put("old");
	cr_assert_eq(replace_begin(path, &r), 0);
	cr_assert_eq(write(r.fd, "new", 3), 3);
	replace_abandon(&r);
	expect("old");
	cr_expect_eq(files(), 1u);
}

Test(replace, what_is_no_file)
{
	struct replace r;

	cr_expect_eq(replace_begin(dir, &r), -EEXIST);
	cr_expect_eq(replace_begin("/dev/null", &r), -EEXIST);
	cr_expect_eq(replace_begin("/dev/stdout", &r), -EEXIST);
	cr_expect_eq(replace_begin("/nowhere/at/all", &r), -ENOENT);
	cr_expect_eq(files(), 0u);
}
