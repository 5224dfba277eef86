/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/outfile.h"
#include "base/outfile_place.h"

/* What is there: by its name, or what a descriptor was opened for. */
static bool look(const struct outfile_place *p, struct stat *ret)
{
	if (p->descriptor >= 0)
		return fstat(p->descriptor, ret) == 0;
	*ret = p->st;
	return p->exists;
}

/* Devices and sockets take what comes from anywhere, and give back something else. */
static bool is_same(const struct outfile_place *a, const struct outfile_place *b)
{
	struct stat sa, sb;
	const bool a_there = look(a, &sa), b_there = look(b, &sb);

	if (a->descriptor >= 0 && a->descriptor == b->descriptor)
		return true;
	if (a_there && b_there)
		return outfile_is_one(&sa, &sb) && (S_ISREG(sa.st_mode) || S_ISFIFO(sa.st_mode));
	return !a_there && !b_there && a->descriptor < 0 && b->descriptor < 0 && strcmp(a->name, b->name) == 0 &&
	       fstat(a->dir, &sa) == 0 && fstat(b->dir, &sb) == 0 && outfile_is_one(&sa, &sb);
}

bool outfile_same(const char *a, const char *b)
{
	struct outfile_place pa, pb;
	bool same;

	if (outfile_find(a, &pa) < 0)
		return false;
	if (outfile_find(b, &pb) < 0) {
		outfile_leave(&pa);
		return false;
	}
	same = is_same(&pa, &pb);
	outfile_leave(&pa);
	outfile_leave(&pb);
	return same;
}

bool outfile_lies_in(const char *path, const char *dir, char ret_name[NAME_MAX + 1])
{
	struct outfile_place p;
	struct stat where, st;
	bool lies;

	if (outfile_find(path, &p) < 0)
		return false;
	lies = p.dir >= 0 && fstat(p.dir, &where) == 0 && stat(dir, &st) == 0 && outfile_is_one(&where, &st);
	if (lies)
		strcpy(ret_name, p.name);
	outfile_leave(&p);
	return lies;
}
