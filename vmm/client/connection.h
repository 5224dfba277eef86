/* SPDX-License-Identifier: MIT */
/* A client's end: connects to a QMP server, says its commands, waits for replies and events. For `gnomon ctl` and the
 * like. */
#ifndef GNOMON_CLIENT_CONNECTION_H
#define GNOMON_CLIENT_CONNECTION_H

#include "base/log.h"
#include "control/stream.h"

struct connection {
	int fd;
	int timeout_ms; /* of each wait; -1: none */
	int64_t deadline; /* clock_ms() at which every wait ends; 0: none. The owner may set it */
	struct json_stream stream;
	char in[4096]; /* in[at..len) is received but not looked at */
	size_t at, len;
	json_t *events; /* array of those that came while a reply was awaited */
	bool shut_down; /* the run's end was told */
};

/* Connects to the socket at `path`, takes the greeting and negotiates, all within `timeout_ms`. -errno, logged. */
int must_check connection_open(struct connection *c, const char *path, int timeout_ms);
void connection_close(struct connection *c);

/* Its parts, for a client that sends everything itself: connects and takes the greeting, which is a new reference; */
int must_check connection_greet(struct connection *c, const char *path, int timeout_ms, json_t **ret_greeting);
/* sends bytes; */
int must_check connection_say(struct connection *c, const char *text, size_t len);
/* waits for the next reply; events that come first are kept. -errno, not logged. */
int must_check connection_reply(struct connection *c, json_t **ret_reply);

/*
 * Executes one command; takes over the reference to `args`, which may be NULL. The reply, with a member "return" or
 * "error", is a new reference. -errno, logged: -ESHUTDOWN when the run ended, -EPIPE when the server went away without
 * a word, -ETIMEDOUT when it did not answer.
 */
int must_check connection_execute(struct connection *c, const char *command, json_t *args, json_t **ret_reply);

/* As above, but gives the value of "return". An error of the server's is logged and gives -EREMOTEIO. */
int must_check connection_ask(struct connection *c, const char *command, json_t *args, json_t **ret_value);

/* Connects to the socket at `path`, asks one command as above, and closes, with this limit for each of the first two. */
int must_check connection_ask_once(const char *path, int timeout_ms, const char *command, json_t *args,
                                   json_t **ret_value);
/* The same with a descriptor that goes along and stays the caller's. */
int must_check connection_ask_with(struct connection *c, const char *command, json_t *args, int fd, json_t **ret_value);

/* The next event, a new reference. -ETIMEDOUT, not logged; any other -errno, logged. */
int must_check connection_event(struct connection *c, int timeout_ms, json_t **ret_event);

#endif
