/* SPDX-License-Identifier: MIT */
/* Members of a server's reply, which may be missing and hold anything, for people. */
#ifndef GNOMON_CMD_REPLY_H
#define GNOMON_CMD_REPLY_H

#include <jansson.h>

struct reply_text {
	char text[224];
};

/* As plain text (base/plain.h), cut off; "-" where there is none. */
struct reply_text reply_text(const json_t *object, const char *name);

/* 0 where there is none. */
long long reply_number(const json_t *object, const char *name);

#endif
