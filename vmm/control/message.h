/* SPDX-License-Identifier: MIT */
/* The objects that a QMP server sends. Each returns a new reference, or NULL without memory. */
#ifndef GNOMON_CONTROL_MESSAGE_H
#define GNOMON_CONTROL_MESSAGE_H

#include <jansson.h>

#include "control/error.h"
#include "control/ops.h"

/* {"QMP": {"version": ..., "capabilities": []}}: a server's first words. */
json_t *message_greeting(void);

/* The version object of greeting and query-version. Its key is "qemu" because clients look there. */
json_t *message_version(void);

/* What query-snapshot returns, and the event at the end of a snapshot has. */
json_t *message_snapshot(const struct control_snapshot *snapshot);

/* {"return": value}: takes over the caller's reference to `value`; NULL without it. */
json_t *message_return(json_t *value);

/* {"error": {"class": ..., "desc": ...}}. Words that are not UTF-8 lose what is not ASCII. */
json_t *message_error(const struct control_error *err);

/* {"timestamp": ..., "event": name, "data": data}: takes over the reference to `data`, which may be NULL for none. */
json_t *message_event(const char *name, json_t *data);

/*
 * Returns a message as it is sent, a line with its line feed, for the caller to free. NULL without memory or message.
 * `id` is JSON text, or NULL for none. It goes back as it came: even a number that no variable here could hold.
 */
char *message_text(const json_t *message, const char *id);

#endif
