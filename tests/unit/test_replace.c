/* SPDX-License-Identifier: MIT */
/* A large file that takes another's place: the old one stays until the new one is complete, and nothing is left beside. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* What a process left that was killed between the two names, or before it where files have a name from the start. */
static int leave(void)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/.gnomon-new-0", dir);
	return open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

Test(replace, removes_what_was_left)
{
	const int left = leave();

	cr_assert_geq(left, 0);
	close(left);
	put("new");
	expect("new");
	cr_expect_eq(files(), 1u);
}

/* Another process has its file ready and is about to rename it. */
Test(replace, leaves_what_is_written)
{
	const int other = leave();
	char name[128];

	cr_assert_eq(flock(other, LOCK_EX), 0);
	put("new");
	expect("new");
	cr_expect_eq(files(), 2u);
	snprintf(name, sizeof(name), "%s/.gnomon-new-0", dir);
	cr_expect_eq(unlink(name), 0);
	close(other);
}

/* The child that writes is killed between the two names, and the parent knows of neither. */
Test(replace, child_is_killed)
{
	struct replace r;
	pid_t child;

	cr_assert_eq(replace_begin(path, &r), 0);
	child = fork();
	if (child == 0) {
		char self[32];

		snprintf(self, sizeof(self), "/proc/self/fd/%d", r.fd);
		if (linkat(AT_FDCWD, self, r.place.dir, ".gnomon-new-3", AT_SYMLINK_FOLLOW) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_expect_eq(files(), 1u);
	replace_abandon(&r);
	cr_expect_eq(files(), 0u);
}

Test(replace, a_name_that_is_kept)
{
	struct replace r;

	snprintf(path, sizeof(path), "%s/.gnomon-new-7", dir);
	cr_expect_eq(replace_begin(path, &r), -EINVAL);
	cr_expect_eq(files(), 0u);
}
