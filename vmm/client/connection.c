/* SPDX-License-Identifier: MIT */
#include "client/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define REPLY_MAX (64u << 20)
#define RETRY_MS  10

/* Waits for input until `limit` (-1: for ever) and takes it. -ETIMEDOUT, other -errno; -EPIPE at the end. */
static int receive(struct connection *c, int64_t limit)
{
	ssize_t n;

	do {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		const int64_t left = limit < 0 ? -1 : limit - clock_ms();

		if (limit >= 0 && left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)left);
		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			n = recv(c->fd, c->in, sizeof(c->in), 0);
		else if (errno == EINTR)
			return -EINTR;
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	c->at = 0;
	c->len = n;
	return 0;
}

/* NULL for what is no event. */
static const char *event_name(const json_t *value)
{
	return json_string_value(json_object_get(value, "event"));
}

/* The next value that the server sends. -errno, not logged. */
static int next(struct connection *c, int64_t limit, json_t **ret_value)
{
	for (;;) {
		const char *data = c->in + c->at;
		size_t left = c->len - c->at;
		enum stream_result s = stream_take(&c->stream, &data, &left, ret_value);
		int r;

		c->at = c->len - left;
		if (s == STREAM_VALUE) {
			const char *event = event_name(*ret_value);

			c->shut_down |= event && strcmp(event, "SHUTDOWN") == 0;
			return 0;
		}
		if (s == STREAM_ERROR)
			return -EPROTO;
		r = receive(c, limit);
		if (r < 0)
			return c->shut_down && r != -ETIMEDOUT ? -ESHUTDOWN : r;
	}
}

static int logged(int r, const char *doing)
{
	if (r == -ESHUTDOWN)
		log_error("%s: the run ended", doing);
	else if (r == -EPIPE)
		log_error("%s: the connection was closed", doing);
	else if (r == -ETIMEDOUT)
		log_error("%s: no answer in time", doing);
	else if (r == -EPROTO)
		log_error("%s: what answers does not speak QMP", doing);
	else
		log_errno(-r, "%s", doing);
	return r;
}

/* When a wait that begins now ends. */
static int64_t limit_of(const struct connection *c, int timeout_ms)
{
	const int64_t limit = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;

	return c->deadline && (limit < 0 || c->deadline < limit) ? c->deadline : limit;
}

/* send(2), and with the first byte goes the descriptor unless it is negative. */
static ssize_t send_with(int to, const char *text, size_t len, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec out = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
	const struct msghdr message = {
	    .msg_iov = &out, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room)};

	if (fd < 0)
		return send(to, text, len, MSG_NOSIGNAL);
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(to, &message, MSG_NOSIGNAL);
}

static int say_with(struct connection *c, const char *text, size_t len, int fd)
{
	const int64_t limit = limit_of(c, c->timeout_ms);

	while (len) {
		struct pollfd room = {.fd = c->fd, .events = POLLOUT};
		ssize_t n = send_with(c->fd, text, len, fd);

		if (n < 0 && errno == EAGAIN) {
			const int64_t left = limit < 0 ? -1 : limit - clock_ms();

			if (limit >= 0 && left <= 0)
				return -ETIMEDOUT;
			(void)poll(&room, 1, (int)left);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= n;
		fd = -1;
	}
	return 0;
}

int connection_say(struct connection *c, const char *text, size_t len)
{
	return say_with(c, text, len, -1);
}

int connection_reply(struct connection *c, json_t **ret_reply)
{
	const int64_t limit = limit_of(c, c->timeout_ms);

	for (;;) {
		json_t *value;
		int r = next(c, limit, &value);

		if (r < 0)
			return r;
		if (!event_name(value)) {
			*ret_reply = value;
			return 0;
		}
		json_array_append_new(c->events, value);
	}
}

static int execute_with(struct connection *c, const char *command, json_t *args, int fd, json_t **ret_reply)
{
	json_t *request = args ? json_pack("{s:s, s:o}", "execute", command, "arguments", args)
	                       : json_pack("{s:s}", "execute", command);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	int r = text ? say_with(c, text, strlen(text), fd) : -EINVAL; /* a name that is not UTF-8 */

	free(text);
	json_decref(request);
	if (r == 0 || r == -EPIPE) /* gone: it may have said why */
		r = connection_reply(c, ret_reply);
	return r < 0 ? logged(r, command) : 0;
}

int connection_execute(struct connection *c, const char *command, json_t *args, json_t **ret_reply)
{
	return execute_with(c, command, args, -1, ret_reply);
}

int connection_ask(struct connection *c, const char *command, json_t *args, json_t **ret_value)
{
	return connection_ask_with(c, command, args, -1, ret_value);
}

int connection_ask_with(struct connection *c, const char *command, json_t *args, int fd, json_t **ret_value)
{
	json_t *reply, *value;
	int r = execute_with(c, command, args, fd, &reply);

	if (r < 0)
		return r;
	value = json_object_get(reply, "return");
	if (value) {
		*ret_value = json_incref(value);
	} else {
		const char *desc = json_string_value(json_object_get(json_object_get(reply, "error"), "desc"));

		log_error("%s: %s", command, desc ? desc : "an answer without return or error");
		r = -EREMOTEIO;
	}
	json_decref(reply);
	return r;
}

int connection_event(struct connection *c, int timeout_ms, json_t **ret_event)
{
	const int64_t limit = limit_of(c, timeout_ms);
	int r = 0;

	if (json_array_size(c->events)) {
		*ret_event = json_incref(json_array_get(c->events, 0));
		json_array_remove(c->events, 0);
		return 0;
	}
	while (r == 0) {
		json_t *value;

		r = next(c, limit, &value);
		if (r == 0 && event_name(value)) {
			*ret_event = value;
			return 0;
		}
		if (r == 0)
			json_decref(value); /* an answer to nothing */
	}
	return r == -ETIMEDOUT ? r : logged(r, "waiting for an event");
}

/* The server's first value: a greeting, or why it does not want us. */
static int take_greeting(struct connection *c, const char *path, json_t **ret_greeting)
{
	const char *desc;
	json_t *value;
	int r = next(c, limit_of(c, c->timeout_ms), &value);

	if (r < 0)
		return logged(r, path);
	if (json_object_get(value, "QMP")) {
		*ret_greeting = value;
		return 0;
	}
	desc = json_string_value(json_object_get(json_object_get(value, "error"), "desc"));
	if (desc)
		log_error("%s: %s", path, desc);
	else
		logged(-EPROTO, path);
	json_decref(value);
	return desc ? -EBUSY : -EPROTO;
}

/* A server that accepts nobody has a full queue: -EAGAIN, and poll(2) does not wait for its end. */
static int connect_in_time(const struct connection *c, const struct sockaddr_un *addr)
{
	const int64_t limit = limit_of(c, c->timeout_ms);

	while (connect(c->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (limit >= 0 && clock_ms() >= limit)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, RETRY_MS);
	}
	return 0;
}

/* -errno, logged. */
static int reach(struct connection *c, const char *path, const struct sockaddr_un *addr)
{
	int r;

	c->events = json_array();
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || !c->events)
		return log_errno(c->fd < 0 ? errno : ENOMEM, "socket");
	r = connect_in_time(c, addr);
	if (r == -ETIMEDOUT)
		return logged(r, path);
	return r < 0 ? log_errno(-r, "cannot connect to %s", path) : 0;
}

/* Leaves the connection with a deadline. -errno, logged. */
static int greet(struct connection *c, const char *path, int timeout_ms, json_t **ret_greeting)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int r;

	*c = (struct connection){.fd = -1, .timeout_ms = timeout_ms, .stream.max_bytes = REPLY_MAX};
	if (strlen(path) >= sizeof(addr.sun_path)) {
		log_error("%s is too long for a socket's path", path);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	if (timeout_ms >= 0)
		c->deadline = clock_ms() + timeout_ms;
	r = reach(c, path, &addr);
	if (r == 0)
		r = take_greeting(c, path, ret_greeting);
	if (r < 0)
		connection_close(c);
	return r;
}

int connection_greet(struct connection *c, const char *path, int timeout_ms, json_t **ret_greeting)
{
	const int r = greet(c, path, timeout_ms, ret_greeting);

	c->deadline = 0;
	return r;
}

int connection_open(struct connection *c, const char *path, int timeout_ms)
{
	json_t *value;
	int r = greet(c, path, timeout_ms, &value);

	if (r < 0)
		return r;
	json_decref(value);
	r = connection_ask(c, "qmp_capabilities", NULL, &value);
	c->deadline = 0;
	if (r < 0)
		connection_close(c);
	else
		json_decref(value);
	return r;
}

void connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	stream_reset(&c->stream);
	json_decref(c->events);
	c->events = NULL;
}

int connection_ask_once(const char *path, int timeout_ms, const char *command, json_t *args, json_t **ret_value)
{
	struct connection c;
	int r = connection_open(&c, path, timeout_ms);

	if (r < 0) {
		json_decref(args);
		return r;
	}
	r = connection_ask(&c, command, args, ret_value);
	connection_close(&c);
	return r;
}
