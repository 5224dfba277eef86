/* SPDX-License-Identifier: MIT */
/*
 * One connection: bytes in, a session, bytes out. Nothing here waits. The server keeps what a client does not read, up
 * to a bound:
 *   - while more than CLIENT_PAUSE bytes wait, the client's commands stay in the socket, so replies do not pile up;
 *   - the client loses an event that would take the queue beyond CLIENT_QUEUE. After CLIENT_LOST of them in a row the
 *     server disconnects it;
 *   - a reply that does not fit into CLIENT_REPLY disconnects it.
 */
#ifndef GNOMON_CONTROL_CLIENT_H
#define GNOMON_CONTROL_CLIENT_H

#include "control/qmp.h"
#include "control/stream.h"

#define CLIENT_INPUT 16384
#define CLIENT_PAUSE (64u << 10)
#define CLIENT_QUEUE (256u << 10)
#define CLIENT_REPLY (16u << 20)
#define CLIENT_LOST  1000

struct client {
	int fd; /* non-blocking; the client's */
	struct qmp_session session;
	struct json_stream stream;
	char in[CLIENT_INPUT]; /* in[in_at..in_len) is read but not looked at */
	size_t in_at, in_len;
	char *out; /* out[out_at..out_len) waits to be sent */
	size_t out_at, out_len, out_room;
	unsigned lost;   /* events since one last fitted */
	unsigned events; /* what epoll watches for; the server's */
	bool ended;      /* it sends no more; to be closed once it has its replies */
	bool hung_up;    /* to be closed: it is gone, or broke a bound */
};

/* Takes over `fd` and queues the greeting. NULL: no memory, and `fd` stays the caller's. */
struct client *client_create(int fd);
void client_destroy(struct client *c);

/* Reads and executes what is there, and sends what the socket takes. Marks a client that is lost as hung_up. */
void client_serve(struct client *c, const struct qmp *q);

/* Queues a reply with the request's id (JSON text, or NULL), and releases the reply. NULL (no memory) hangs up. */
void client_reply(struct client *c, json_t *reply, const char *id);

/* Queues an event. */
void client_event(struct client *c, const json_t *event);

/* Sends what the socket takes now. */
void client_flush(struct client *c);

/* True when there is something to send; when commands would be read now; when the server shall close it. */
bool client_wants_to_send(const struct client *c);
bool client_takes_commands(const struct client *c);
bool client_is_done(const struct client *c);

#endif
