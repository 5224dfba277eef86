/* SPDX-License-Identifier: MIT */
#include "control/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/message.h"

/* Reads of one turn: a client that sends without end takes turns with the others. */
#define READS_A_TURN 4

struct client *client_create(int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	client_reply(c, message_greeting(), NULL);
	return c;
}

void client_destroy(struct client *c)
{
	close(c->fd);
	qmp_session_end(&c->session);
	stream_reset(&c->stream);
	free(c->out);
	free(c);
}

bool client_wants_to_send(const struct client *c)
{
	return c->out_at < c->out_len;
}

static bool takes_replies(const struct client *c)
{
	return c->out_len - c->out_at <= CLIENT_PAUSE;
}

bool client_takes_commands(const struct client *c)
{
	return takes_replies(c) && !c->ended;
}

bool client_is_done(const struct client *c)
{
	return c->hung_up || (c->ended && c->in_at == c->in_len && !client_wants_to_send(c));
}

void client_flush(struct client *c)
{
	while (client_wants_to_send(c)) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			c->hung_up |= errno != EAGAIN && errno != EWOULDBLOCK;
			return;
		}
		c->out_at += n;
	}
	/* All sent: a large buffer is not kept for ever. */
	if (c->out_room > CLIENT_PAUSE) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
	}
	c->out_at = c->out_len = 0;
}

/* Room for `len` more bytes behind out_len. */
static bool make_room(struct client *c, size_t len)
{
	size_t room = c->out_room ? c->out_room : 4096;
	char *out;

	if (c->out_at)
		memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
	c->out_len -= c->out_at;
	c->out_at = 0;
	if (c->out_len + len <= c->out_room)
		return true;
	while (room < c->out_len + len)
		room *= 2;
	out = realloc(c->out, room);
	if (!out)
		return false;
	c->out = out;
	c->out_room = room;
	return true;
}

/* False when the text did not fit below `limit`, or into memory. */
static bool append(struct client *c, const char *text, size_t len, size_t limit)
{
	if (len > limit || c->out_len - c->out_at > limit - len)
		return false;
	if (c->out_len + len > c->out_room && !make_room(c, len))
		return false;
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
	return true;
}

void client_event(struct client *c, const json_t *event)
{
	char *text = message_text(event, NULL);

	if (text && append(c, text, strlen(text), CLIENT_QUEUE))
		c->lost = 0;
	else if (++c->lost >= CLIENT_LOST)
		c->hung_up = true;
	free(text);
}

void client_reply(struct client *c, json_t *reply, const char *id)
{
	char *text = message_text(reply, id);

	json_decref(reply);
	c->hung_up |= !text || !append(c, text, strlen(text), CLIENT_REPLY);
	free(text);
}

/* Executes what was read, as long as the client takes the replies. */
static void execute(struct client *c, const struct qmp *q)
{
	while (c->in_at < c->in_len && !c->hung_up && takes_replies(c)) {
		const char *data = c->in + c->in_at;
		size_t left = c->in_len - c->in_at;
		json_t *request;
		enum stream_result r = stream_take(&c->stream, &data, &left, &request);

		c->in_at = c->in_len - left;
		if (r == STREAM_VALUE) {
			client_reply(c, qmp_execute(q, &c->session, request), c->stream.id);
			json_decref(request);
		} else if (r == STREAM_ERROR) {
			client_reply(c, qmp_reply_malformed(c->stream.error), NULL);
		}
		/* A client that reads gets its answers now, and does not count as slow. */
		if (c->out_len - c->out_at > CLIENT_PAUSE)
			client_flush(c);
	}
}

/* Takes the descriptor that came with the bytes. There is room for one; the kernel closes what is more. */
static void take_fd(struct client *c, struct msghdr *message)
{
	const struct cmsghdr *part = CMSG_FIRSTHDR(message);
	int fd;

	if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS ||
	    part->cmsg_len < CMSG_LEN(sizeof(fd)))
		return;
	memcpy(&fd, CMSG_DATA(part), sizeof(fd));
	qmp_take_fd(&c->session, fd);
}

/* False when there is nothing to read now. */
static bool read_some(struct client *c)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec in = {.iov_base = c->in, .iov_len = sizeof(c->in)};
	struct msghdr message;
	ssize_t n;

	do {
		message = (struct msghdr){
		    .msg_iov = &in, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int))};
		n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		take_fd(c, &message);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		c->ended = n == 0;
		c->hung_up = n < 0;
		return false;
	}
	c->in_at = 0;
	c->in_len = n;
	return true;
}

void client_serve(struct client *c, const struct qmp *q)
{
	client_flush(c);
	execute(c, q);
	for (int i = 0; i < READS_A_TURN && !c->hung_up && c->in_at == c->in_len && client_takes_commands(c); i++) {
		if (!read_some(c))
			break;
		execute(c, q);
	}
	client_flush(c);
}
