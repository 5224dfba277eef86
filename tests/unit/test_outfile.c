/* SPDX-License-Identifier: MIT */
/*
 * Files that are written at a command's end: where a path leads, that a file is whole or as it was, and that what is
 * not a regular file is written in place. Each check of a path leaves the directory as it found it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/outfile.h"
#include "outfile_dir.h"

TestSuite(outfile, .init = outfile_dir_make, .fini = outfile_dir_drop);

Test(outfile, names)
{
	char long_name[NAME_MAX + 1];

	expect_written("new", "new");
	put("old", "old and longer than what comes\n");
	expect_written("old", "old");
	expect_written("./old", "old");
	mkdir("dir", 0755);
	expect_written("dir/../old", "old");
	expect_written("dir//new", "dir/new");
	memset(long_name, 'n', NAME_MAX);
	long_name[NAME_MAX] = 0;
	expect_written(long_name, long_name);
	expect_written("-", "-"); /* stdout is the caller's matter */
}

/* What open(2) would say, before and at the end. */
Test(outfile, refused)
{
	static char very_long[2 * PATH_MAX], long_name[NAME_MAX + 2];
	const struct {
		const char *path;
		int error;
	} bad[] = {{"", ENOENT},
	           {"nodir/file", ENOENT},
	           {"file/file", ENOTDIR},
	           {"dir", EISDIR},
	           {"dir/", EISDIR},
	           {".", EISDIR},
	           {"/", EISDIR},
	           {"dir/..", EISDIR},
	           {long_name, ENAMETOOLONG},
	           {very_long, ENAMETOOLONG},
	           {"loop", ELOOP},
	           {"link-to-dir", EISDIR},
	           {"link-nowhere", ENOENT},
	           {"socket", ENXIO},
	           {"/dev/fd/77", EBADF},
	           {"/proc/self/fd/-1", ENOENT}};
	const struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "socket"};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(long_name, 'n', NAME_MAX + 1);
	memset(very_long, '/', sizeof(very_long) - 1);
	put("file", "");
	mkdir("dir", 0755);
	cr_assert(symlink("loop", "loop") == 0 && symlink("dir", "link-to-dir") == 0 &&
	          symlink("nodir/file", "link-nowhere") == 0);
	cr_assert_eq(bind(fd, (const void *)&addr, sizeof(addr)), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int r = check(bad[i].path);

		cr_expect_eq(r, -bad[i].error, "%.60s: %s", bad[i].path, strerror(-r));
		r = write_text(bad[i].path, "x");
		cr_expect_lt(r, 0, "%.60s was written", bad[i].path);
	}
}

/* A link stays a link, to whatever length; a new file comes to be where it leads. */
Test(outfile, symbolic_links)
{
	struct stat st;

	mkdir("dir", 0755);
	put("dir/old", "old\n");
	cr_assert(symlink("dir/old", "link") == 0 && symlink("../link", "dir/back") == 0 &&
	          symlink("dir/new", "dangling") == 0);
	expect_written("link", "dir/old");
	expect_written("dir/back", "dir/old");
	expect_written("dangling", "dir/new");
	cr_expect(lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
	cr_expect(lstat("dir/back", &st) == 0 && S_ISLNK(st.st_mode));
	cr_expect(lstat("dangling", &st) == 0 && S_ISLNK(st.st_mode));
}

/* Rights and owner are the earlier file's; a new one has what the umask leaves. */
Test(outfile, rights)
{
	struct stat st;

	put("old", "old\n");
	cr_assert_eq(chmod("old", 0604), 0);
	if (getuid() == 0)
		cr_assert_eq(chown("old", 12, 34), 0);
	umask(027);
	cr_assert_eq(write_text("old", "new\n"), 0);
	cr_expect(stat("old", &st) == 0 && (st.st_mode & 07777) == 0604, "%o", st.st_mode);
	if (getuid() == 0)
		cr_expect(st.st_uid == 12 && st.st_gid == 34, "%d:%d", st.st_uid, st.st_gid);
	cr_assert_eq(write_text("new", "new\n"), 0);
	cr_expect(stat("new", &st) == 0 && (st.st_mode & 07777) == 0640, "%o", st.st_mode);
}

/* All names of a file show the same, whoever reads it meanwhile sees one text or the other. */
Test(outfile, hard_links)
{
	put("one", "old and longer\n");
	cr_assert_eq(link("one", "two"), 0);
	expect_written("one", "two");
}

Test(outfile, readers_keep_what_they_opened)
{
	char text[16] = "";
	int fd;

	put("file", "old\n");
	fd = open("file", O_RDONLY);
	cr_assert_eq(write_text("file", "new\n"), 0);
	cr_expect_eq(read(fd, text, sizeof(text)), 4);
	cr_expect_str_eq(text, "old\n");
}

/* A directory of others in which one file is ours: it is written in place. A protected file is not. */
Test(outfile, other_users)
{
	if (getuid() != 0)
		cr_skip_test("only root can become another user");
	mkdir("dir", 0755);
	put("dir/ours", "old and longer\n");
	put("dir/theirs", "old\n");
	put("dir/protected", "old\n");
	cr_assert(chown("dir/ours", 65534, 65534) == 0 && chown("dir/protected", 65534, 65534) == 0 &&
	          chmod("dir/protected", 0444) == 0);
	cr_assert_eq(chmod(root, 0755), 0);
	cr_assert(setgid(65534) == 0 && setuid(65534) == 0);
	expect_written("dir/ours", "dir/ours");
	cr_expect_eq(outfile_check("--test", "dir/theirs"), -EACCES);
	cr_expect_eq(outfile_check("--test", "dir/protected"), -EACCES);
	cr_expect_eq(outfile_check("--test", "dir/new"), -EACCES);
	cr_expect_lt(write_text("dir/theirs", "new"), 0);
	cr_expect_str_eq(content("dir/theirs"), "old\n");
}

static bool set_append_only(const char *path, bool on)
{
	const int fd = open(path, O_RDONLY);
	int flags = 0;
	bool set = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;

	flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
	set = set && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
	close(fd);
	return set;
}

/* A directory from which nothing can be removed: a file in it is written in place, a new one refused; no litter. */
Test(outfile, directory_that_only_grows)
{
	mkdir("dir", 0755);
	put("dir/old", "old and longer\n");
	if (!set_append_only("dir", true))
		cr_skip_test("no append-only directories here");
	cr_expect_eq(outfile_check("--test", "dir/new"), -EPERM);
	cr_expect_eq(write_text("dir/new", "new\n"), -EPERM);
	expect_written("dir/old", "dir/old");
	cr_expect_eq(entries("dir"), 1);
	cr_expect(set_append_only("dir", false));
}

/* What the kernel forbids in a directory of all, such as /tmp: following others' links, writing others' files. */
Test(outfile, shared_directory)
{
	static const char *const names[] = {"shared/link", "shared/dangling", "shared/file", "shared/fifo"};

	if (getuid() != 0)
		cr_skip_test("only root can give files away");
	mkdir("shared", 0755);
	put("target", "old\n");
	put("shared/file", "old\n");
	cr_assert(symlink("../target", "shared/link") == 0 && symlink("../new", "shared/dangling") == 0 &&
	          mkfifo("shared/fifo", 0666) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		cr_assert_eq(lchown(names[i], 65534, 65534), 0);
	cr_assert(chown("shared", 65533, 65533) == 0 && chmod("shared", 01777) == 0 && chmod("shared/file", 0666) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const int r = write_text(names[i], "new\n");
		const int fd = open(names[i], O_WRONLY | O_CREAT | O_NONBLOCK, 0666);
		const int expected = fd < 0 ? -errno : 0;

		cr_expect(r == expected || (expected == -ENXIO && r == -ETIMEDOUT), "%s: %d, and open(2) %d", names[i],
		          r, expected);
		close(fd);
	}
}

/* What was there survives a file that does not become complete, whether it has one name or two. */
Test(outfile, earlier_file_survives)
{
	static char big[1 << 20];

	memset(big, 'x', sizeof(big) - 1);
	signal(SIGXFSZ, SIG_IGN);
	put("file", "old\n");
	put("one", "old\n");
	cr_assert_eq(link("one", "two"), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, RLIM_INFINITY}), 0);
	cr_expect_eq(write_text("file", big), -EFBIG);
	cr_expect_eq(write_text("one", big), -EFBIG);
	cr_expect_eq(write_text("new", big), -EFBIG);
	cr_expect_str_eq(content("file"), "old\n");
	cr_expect_str_eq(content("two"), "old\n");
	cr_expect_eq(access("new", F_OK), -1);
	cr_expect_eq(entries("."), 3);
}

/* Devices are written in place, and one that takes nothing is an error. */
Test(outfile, devices)
{
	cr_expect_eq(check("/dev/null"), 0);
	cr_expect_eq(write_text("/dev/null", "text"), 0);
	cr_expect_eq(check("/dev/full"), 0);
	cr_expect_eq(write_text("/dev/full", "text"), -ENOSPC);
}

/* A descriptor of this process, by each of its names, is written where it stands, if it was opened for that. */
Test(outfile, descriptors)
{
	const int fd = open("log", O_WRONLY | O_CREAT, 0644), ro = open("log", O_RDONLY);
	char path[64];

	cr_assert_eq(write(fd, "before\n", 7), 7);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	cr_expect_eq(check(path), 0);
	cr_expect_eq(write_text(path, "one\n"), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cr_expect_eq(write_text(path, "two\n"), 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	cr_expect_eq(write_text(path, "three\n"), 0);
	cr_assert_eq(symlink(path, "link"), 0);
	cr_expect_eq(write_text("link", "four\n"), 0);
	cr_expect_str_eq(content("log"), "before\none\ntwo\nthree\nfour\n");
	snprintf(path, sizeof(path), "/dev/fd/%d", ro);
	cr_expect_eq(check(path), -EBADF);
}

/* A FIFO with a reader; with none, who waits gives up in time, or at once when he is told to. */
Test(outfile, fifos)
{
	int ends[2], fd;
	char text[16] = "";

	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_expect_eq(check("fifo"), 0);
	cr_expect_eq(write_text("fifo", "text"), -ETIMEDOUT);
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(outfile_write("--test", "fifo", "text", 4, ends[0]), -ECANCELED);
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	cr_expect_eq(outfile_write("--test", "fifo", "text", 4, ends[0]), 0);
	cr_expect_eq(read(fd, text, sizeof(text)), 4);
}

Test(outfile, same)
{
	put("a", "");
	cr_assert(link("a", "b") == 0 && symlink("a", "c") == 0);
	mkdir("dir", 0755);
	cr_expect(outfile_same("a", "b"));
	cr_expect(outfile_same("a", "dir/../c"));
	cr_expect(outfile_same("new", "./new"));
	cr_expect_not(outfile_same("new", "dir/new"));
	cr_expect_not(outfile_same("a", "new"));
	cr_expect_not(outfile_same("/dev/null", "/dev/null"));
	cr_expect_not(outfile_same("nodir/x", "nodir/x"));
}

/* A descriptor is the file that it was opened for, for reading or for writing, by each of its names. */
Test(outfile, same_by_descriptor)
{
	char fd[32], again[32], other[32], terminal[32];
	int ends[2];

	put("a", "");
	put("b", "");
	snprintf(fd, sizeof(fd), "/dev/fd/%d", open("a", O_RDONLY));
	snprintf(again, sizeof(again), "/proc/%d/fd/%d", (int)getpid(), open("a", O_WRONLY));
	snprintf(other, sizeof(other), "/dev/fd/%d", open("b", O_RDONLY));
	cr_expect(outfile_same(fd, "a") && outfile_same("a", fd) && outfile_same(fd, again) && outfile_same(fd, fd));
	cr_expect_not(outfile_same(fd, "b") || outfile_same(fd, other) || outfile_same(fd, "new"));
	cr_assert_eq(pipe(ends), 0);
	snprintf(fd, sizeof(fd), "/dev/fd/%d", ends[0]);
	snprintf(again, sizeof(again), "/dev/fd/%d", ends[1]);
	cr_expect(outfile_same(fd, again), "what one writes the other reads");
	snprintf(terminal, sizeof(terminal), "/dev/fd/%d", open("/dev/null", O_WRONLY));
	cr_expect(outfile_same(terminal, terminal));
	cr_expect_not(outfile_same(terminal, "/dev/null"));
	cr_expect_not(outfile_same("/dev/fd/77", "a"));
}

/* What will be written fits, beside what is there; the look leaves nothing. */
Test(outfile, room)
{
	signal(SIGXFSZ, SIG_IGN);
	put("old", "old\n");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, RLIM_INFINITY}), 0);
	cr_expect_eq(outfile_check_room("--json", "new", 8192), 0);
	cr_expect_eq(outfile_check_room("--json", "new", 8193), -EFBIG);
	cr_expect_eq(outfile_check_room("--json", "old", 8193), -EFBIG);
	cr_expect_neq(access("new", F_OK), 0);
}

Test(outfile, lies_in)
{
	char name[NAME_MAX + 1];

	mkdir("dir", 0755);
	cr_assert(symlink("dir/old", "link") == 0 && symlink("dir", "linked") == 0);
	cr_expect(outfile_lies_in("dir/new", "dir", name) && strcmp(name, "new") == 0);
	cr_expect(outfile_lies_in("link", "./linked", name) && strcmp(name, "old") == 0);
	cr_expect_not(outfile_lies_in("dir/../new", "dir", name));
	cr_expect_not(outfile_lies_in("new", "nodir", name));
	cr_expect_not(outfile_lies_in("dir/no/file", "dir", name));
}
