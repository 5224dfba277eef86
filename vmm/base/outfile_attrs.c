/* SPDX-License-Identifier: MIT */
#include "base/outfile_attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SECURITY "security."

/* The names, each with its NUL, in memory that is the caller's; none on a file system that has no attributes. */
static int list_names(int fd, char **ret_names, size_t *ret_len)
{
	char *names = malloc(XATTR_LIST_MAX);
	ssize_t n;

	if (!names)
		return -EPERM;
	n = flistxattr(fd, names, XATTR_LIST_MAX);
	if (n < 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
		free(names);
		return -EPERM;
	}
	if (n < 0)
		n = 0;
	*ret_names = names;
	*ret_len = n;
	return 0;
}

/* 1: the same value in both files; 0: not; the first one's value stands in `value`. -EPERM: it cannot be read. */
static int is_same(int from, int to, const char *name, char *value, ssize_t *ret_len)
{
	char *other = malloc(XATTR_SIZE_MAX);
	ssize_t n = -1;

	*ret_len = other ? fgetxattr(from, name, value, XATTR_SIZE_MAX) : -1;
	if (*ret_len >= 0)
		n = fgetxattr(to, name, other, XATTR_SIZE_MAX);
	n = *ret_len < 0 ? -EPERM : n == *ret_len && memcmp(value, other, n) == 0;
	free(other);
	return (int)n;
}

static int copy_all(int from, int to, const char *names, size_t len)
{
	char *value = malloc(XATTR_SIZE_MAX);
	int r = value ? 0 : -EPERM;

	for (const char *name = names; r == 0 && name < names + len; name += strlen(name) + 1) {
		ssize_t size;

		r = is_same(from, to, name, value, &size);
		if (r == 0 &&
		    (strncmp(name, SECURITY, strlen(SECURITY)) == 0 || fsetxattr(to, name, value, size, 0) < 0))
			r = -EPERM;
		r = r < 0 ? r : 0;
	}
	free(value);
	return r;
}

static bool has(const char *names, size_t len, const char *name)
{
	for (const char *n = names; n < names + len; n += strlen(n) + 1)
		if (strcmp(n, name) == 0)
			return true;
	return false;
}

static int copy_attrs(int from, int to)
{
	char *names = NULL, *there = NULL;
	size_t len, there_len;
	int r = list_names(from, &names, &len);

	if (r == 0)
		r = list_names(to, &there, &there_len);
	for (const char *name = there; r == 0 && name < there + there_len; name += strlen(name) + 1)
		if (!has(names, len, name) && fremovexattr(to, name) < 0)
			r = -EPERM;
	if (r == 0)
		r = copy_all(from, to, names, len);
	free(names);
	free(there);
	return r;
}

/* In this order: an ACL is its owner's to set, and with one the mode's bits of the group are the ACL's mask. */
int outfile_make_alike(const struct outfile_place *p, int fd)
{
	int old = openat(p->dir, p->name, OUTFILE_FLAGS | O_NOFOLLOW, 0666), r = -EPERM;

	if (old >= 0 && fchown(fd, p->st.st_uid, p->st.st_gid) == 0)
		r = copy_attrs(old, fd);
	if (r == 0 && fchmod(fd, p->st.st_mode & 0777) < 0)
		r = -EPERM;
	if (old >= 0)
		close(old);
	return r;
}
