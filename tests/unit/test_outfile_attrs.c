/* SPDX-License-Identifier: MIT */
/* ACLs and other extended attributes of files that are written anew. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "outfile_dir.h"

TestSuite(outfile_attrs, .init = outfile_dir_make, .fini = outfile_dir_drop);

#define ACL     "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

/* As the kernel has it: <linux/posix_acl_xattr.h>. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, rights;
		uint32_t id;
	} entry[5]; /* owner, a user, group, mask, others */
};

#define NO_ID UINT32_MAX
static const struct acl acl = {2, {{1, 6, NO_ID}, {2, 4, 12}, {4, 0, NO_ID}, {0x10, 4, NO_ID}, {0x20, 0, NO_ID}}};

/* Skips the test where the file system has none of these. */
static void set_attr(const char *path, const char *name, const void *value, size_t size)
{
	if (setxattr(path, name, value, size, 0) < 0)
		cr_skip_test("no %s here", name);
}

static void expect_attr(const char *path, const char *name, const void *value, size_t size)
{
	char now[256];
	const ssize_t n = getxattr(path, name, now, sizeof(now));

	cr_expect(n == (ssize_t)size && memcmp(now, value, n) == 0, "%s of %s: %zd bytes", name, path, n);
}

/* The group's bits of the mode are the ACL's mask: nobody may get them for the group's own rights. */
Test(outfile_attrs, acl)
{
	struct stat st;

	put("old", "old\n");
	set_attr("old", ACL, &acl, sizeof(acl));
	expect_written("old", "old");
	expect_attr("old", ACL, &acl, sizeof(acl));
	cr_expect(stat("old", &st) == 0 && (st.st_mode & 07777) == 0640, "%o", st.st_mode);
}

/* A directory's default ACL is for new files. One that was there and had none still has none. */
Test(outfile_attrs, default_acl)
{
	struct stat st;

	mkdir("dir", 0755);
	put("dir/old", "old\n");
	chmod("dir/old", 0600);
	set_attr("dir", DEFAULT, &acl, sizeof(acl));
	expect_written("dir/old", "dir/old");
	cr_expect_eq(getxattr("dir/old", ACL, NULL, 0), -1, "a user got rights");
	cr_expect(stat("dir/old", &st) == 0 && (st.st_mode & 07777) == 0600, "%o", st.st_mode);
	cr_assert_eq(write_text("dir/new", "new\n"), 0);
	cr_expect_gt(getxattr("dir/new", ACL, NULL, 0), 0);
}

Test(outfile_attrs, extended_attributes)
{
	put("old", "old\n");
	set_attr("old", "user.note", "a note", 6);
	set_attr("old", "user.none", "", 0);
	expect_written("old", "old");
	expect_attr("old", "user.note", "a note", 6);
	expect_attr("old", "user.none", "", 0);
}

/* What may not be read cannot be copied: the file is written in place, and is the one that it was. */
Test(outfile_attrs, attributes_that_cannot_be_copied)
{
	struct stat before, after;

	if (getuid() != 0)
		cr_skip_test("only root can become another user");
	put("old", "old and longer\n");
	set_attr("old", "user.note", "a note", 6);
	cr_assert(chown("old", 65534, 65534) == 0 && chmod("old", 0200) == 0 && chmod(root, 0777) == 0);
	cr_assert_eq(stat("old", &before), 0);
	cr_assert(setgid(65534) == 0 && setuid(65534) == 0);
	cr_expect_eq(check("old"), 0);
	cr_expect_eq(write_text("old", "new\n"), 0);
	cr_expect_eq(stat("old", &after), 0);
	cr_expect(after.st_ino == before.st_ino && after.st_size == 4 && after.st_uid == 65534);
	cr_expect_eq(entries("."), 1);
}
