/* SPDX-License-Identifier: MIT */
#include "control/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json_t *message_version(void)
{
	int major = 0, minor = 0, micro = 0;

	(void)sscanf(GNOMON_VERSION, "%d.%d.%d", &major, &minor, &micro);
	return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "micro", micro, "minor", minor, "major", major, "package",
	                 "gnomon " GNOMON_VERSION);
}

json_t *message_greeting(void)
{
	return json_pack("{s:{s:o, s:[]}}", "QMP", "version", message_version(), "capabilities");
}

json_t *message_return(json_t *value)
{
	return json_pack("{s:o}", "return", value);
}

json_t *message_error(const struct control_error *err)
{
	char ascii[sizeof(err->desc)];
	json_t *desc = json_string(err->desc);

	if (!desc) { /* a name cut within a character */
		size_t n = 0;

		for (const char *p = err->desc; *p; p++)
			ascii[n++] = (unsigned char)*p < 0x80 ? *p : '?';
		ascii[n] = 0;
		desc = json_string(ascii);
	}
	return json_pack("{s:{s:s, s:o}}", "error", "class", err->class, "desc", desc);
}

json_t *message_event(const char *name, json_t *data)
{
	struct timespec now;
	json_t *event;

	clock_gettime(CLOCK_REALTIME, &now);
	event = json_pack("{s:{s:I, s:I}, s:s}", "timestamp", "seconds", (json_int_t)now.tv_sec, "microseconds",
	                  (json_int_t)now.tv_nsec / 1000, "event", name);
	if (data && json_object_set_new(event, "data", data) < 0) {
		json_decref(event);
		return NULL;
	}
	return event;
}

char *message_text(const json_t *message, const char *id)
{
	static const char before_id[] = ", \"id\": ";
	char *text = message ? json_dumps(message, JSON_ENSURE_ASCII) : NULL, *more;
	size_t len;

	if (!text)
		return NULL;
	len = strlen(text); /* an object with something in it: ends with a brace */
	more = realloc(text, len + (id ? strlen(before_id) + strlen(id) : 0) + 2);
	if (!more) {
		free(text);
		return NULL;
	}
	if (id)
		len = (size_t)(stpcpy(stpcpy(stpcpy(more + len - 1, before_id), id), "}") - more);
	strcpy(more + len, "\n");
	return more;
}

json_t *message_snapshot(const struct control_snapshot *s)
{
	json_t *o = json_pack("{s:s}", "status", s->status);
	json_t *file = json_string(s->file); /* NULL: a file's name need not be UTF-8 */

	if (!o || !*s->file)
		json_decref(file);
	if (!o || !*s->file)
		return o;
	if (file)
		json_object_set_new(o, "file", file);
	if (*s->error)
		json_object_set_new(o, "error", json_string(s->error));
	if (*s->base) {
		json_object_set_new(o, "base", json_string(s->base));
		json_object_set_new(o, "unchanged", json_integer((json_int_t)s->unchanged));
	}
	json_object_set_new(o, "pause-us", json_integer((json_int_t)s->pause_us));
	json_object_set_new(o, "ms", json_integer((json_int_t)s->ms));
	json_object_set_new(o, "pages", json_integer((json_int_t)s->pages));
	json_object_set_new(o, "done", json_integer((json_int_t)s->done));
	json_object_set_new(o, "stored", json_integer((json_int_t)s->stored));
	json_object_set_new(o, "zero", json_integer((json_int_t)s->zero));
	json_object_set_new(o, "absent", json_integer((json_int_t)s->absent));
	json_object_set_new(o, "bytes", json_integer((json_int_t)s->bytes));
	return o;
}
