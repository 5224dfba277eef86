/* SPDX-License-Identifier: MIT */
/*
 * The control server: a thread that serves any number of QMP clients, up to SERVER_CLIENTS, at a UNIX socket.
 *
 *   clients -- epoll --> client_serve() --> qmp_execute() --> control_ops --> the VM
 *   other threads -- server_balloon_changed() -- eventfd --> an event to every client
 *
 * The thread never waits for a client. Commands run on it one at a time, so two clients' commands do not mix.
 */
#ifndef GNOMON_CONTROL_SERVER_H
#define GNOMON_CONTROL_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "control/client.h"
#include "control/listen.h"

#define SERVER_CLIENTS 16

struct server {
	struct listener listener;
	struct qmp qmp;
	int epoll_fd, wake_fd;
	pthread_t thread;
	bool has_thread;
	struct client *client[SERVER_CLIENTS]; /* NULL: free. The thread's alone */
	bool listening;                        /* the listener is watched; the thread's alone */
	atomic_bool balloon_changed;
	_Atomic uint64_t balloon_actual; /* bytes */
	pthread_mutex_t paging_lock;
	json_t *paging_change; /* the data of an event that is due, or NULL; under paging_lock */
	json_t *snapshot_end;  /* likewise */
	atomic_bool ending;
	bool shutdown_by_guest;      /* these two are set before `ending` */
	const char *shutdown_reason; /* QEMU's ShutdownCause */
};

/*
 * Listens at `path` for a VM that must outlive the server: clients can connect, and wait. server_stop() undoes it.
 * -errno, logged.
 */
int must_check server_open(struct server *s, const char *path, const struct control_ops *ops, void *vm);

/* Starts the thread, which serves the clients. -errno, logged; call server_stop() all the same. */
int must_check server_run(struct server *s);

/*
 * Tells the clients that the run ended, sends what they take within SERVER_LAST_WORDS_MS, closes all connections,
 * removes the socket and ends the thread.
 */
#define SERVER_LAST_WORDS_MS 100
void server_stop(struct server *s, bool by_guest, const char *reason);

/*
 * Sends BALLOON_CHANGE with this many bytes to all clients. Several changes in a row may become one event. Any thread.
 */
void server_balloon_changed(struct server *s, uint64_t actual);

/*
 * Sends PAGING_CHANGE to all clients. Of several changes in a row only the last may be sent. `detail` is a sentence
 * with figures. Any thread.
 */
void server_paging_changed(struct server *s, const char *mode, const char *reason, const char *detail, uint64_t us);

/* Sends SNAPSHOT_END to all clients: what query-snapshot says. Any thread. */
void server_snapshot_ended(struct server *s, const struct control_snapshot *snapshot);

#endif
