/* SPDX-License-Identifier: MIT */
/* The directory in which a test of output files works, and what stands in it. */
#ifndef TESTS_UNIT_OUTFILE_DIR_H
#define TESTS_UNIT_OUTFILE_DIR_H

/* For a TestSuite: an empty directory, which is the working directory, and goes with all that is in it. */
extern char root[64];
void outfile_dir_make(void);
void outfile_dir_drop(void);

/* A file's text, in a static buffer; and a file with it. */
const char *content(const char *path);
void put(const char *path, const char *text);

/* How many names a directory has. */
int entries(const char *path);

/* outfile_check(), which has to leave the directory as it was, and outfile_write(). */
int check(const char *path);
int write_text(const char *path, const char *text);

/* `path` can be written, and `where` has it then; nothing is left beside it. */
void expect_written(const char *path, const char *where);

#endif
