/* SPDX-License-Identifier: MIT */
/*
 * The protocol: what a server answers to one JSON value of a client. Knows neither sockets nor KVM.
 *
 *   value -> shape (execute, arguments, id) -> negotiation -> command by name -> schema -> handler -> reply
 *
 * Specification: QEMU's docs/interop/qmp-spec; where it is silent, QEMU 7.2's behaviour (tests/control compares).
 * Not offered: out-of-band execution, so the list of capabilities is empty.
 */
#ifndef GNOMON_CONTROL_QMP_H
#define GNOMON_CONTROL_QMP_H

#include "control/ops.h"
#include "control/schema.h"

/* What is remembered of one client. */
struct qmp_session {
	bool negotiated; /* it sent qmp_capabilities: commands and events from here on */
	bool has_fd;     /* a descriptor came along, and no command took it yet */
	bool has_store;  /* dedup-store took one */
	int fd, store;
};

/* One controlled VM. */
struct qmp {
	const struct control_ops *ops;
	void *vm;
	struct qmp_session
	    *session; /* of the client whose command is executed: qmp_execute() sets it for the handlers */
	/* Tells all clients. Takes over the reference; NULL (no memory) tells nothing. */
	void (*broadcast)(void *ctx, json_t *event);
	void *ctx;
};

struct qmp_command {
	const char *name;
	const struct arg_schema *args; /* NULL: none */
	/* Returns a new reference; NULL with *err, or without memory. `args` fits the schema; NULL: none were given. */
	json_t *(*handle)(const struct qmp *q, json_t *args, struct control_error *err);
	const char *help;
};

/* Every command behind the negotiation; ends with a NULL name. */
extern const struct qmp_command qmp_commands[];

/*
 * Returns the reply to a client's value without the id, which message_text() adds: a new reference, NULL only without
 * memory.
 */
json_t *qmp_execute(const struct qmp *q, struct qmp_session *session, json_t *request);

/* A descriptor came from the client, which is the session's now. Without a command that takes it the next replaces it. */
void qmp_take_fd(struct qmp_session *session, int fd);

/* Closes what a client left. A session that is all zero is fine, too. */
void qmp_session_end(struct qmp_session *session);

/* Returns the reply to what was no JSON. */
json_t *qmp_reply_malformed(const char *why);

#endif
