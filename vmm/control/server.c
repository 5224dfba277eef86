/* SPDX-License-Identifier: MIT */
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "control/message.h"

#define RETRY_ACCEPT_MS 100
#define EPOLL_EVENTS    16

/* What an epoll event belongs to: a client's index, or one of these. */
enum { TAG_LISTENER = SERVER_CLIENTS, TAG_WAKE };

static int watch(struct server *s, int op, int fd, unsigned events, uint32_t tag)
{
	struct epoll_event e = {.events = events, .data.u32 = tag};

	return epoll_ctl(s->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

static void broadcast(void *ctx, json_t *event)
{
	struct server *s = ctx;

	for (int i = 0; event && i < SERVER_CLIENTS; i++)
		if (s->client[i] && s->client[i]->session.negotiated)
			client_event(s->client[i], event);
	json_decref(event);
}

static void drop(struct server *s, int i)
{
	client_destroy(s->client[i]); /* closing the fd ends epoll's interest */
	s->client[i] = NULL;
}

/* After any turn: epoll watches for what each client needs, and those that are done are closed. True: one was. */
static bool settle(struct server *s)
{
	bool dropped = false;

	for (int i = 0; i < SERVER_CLIENTS; i++) {
		struct client *c = s->client[i];
		unsigned events;

		if (!c)
			continue;
		events = (client_takes_commands(c) ? EPOLLIN : 0) | (client_wants_to_send(c) ? EPOLLOUT : 0);
		if (events != c->events && watch(s, EPOLL_CTL_MOD, c->fd, events, i) < 0)
			c->hung_up = true;
		c->events = events;
		if (client_is_done(c)) {
			drop(s, i);
			dropped = true;
		}
	}
	return dropped;
}

static void refuse(int fd, const char *why)
{
	struct control_error err;
	json_t *message;
	char *text;

	control_fail(&err, EBUSY, "%s", why);
	message = message_error(&err);
	text = json_dumps(message, 0);
	if (text && send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		(void)send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	json_decref(message);
	close(fd);
}

static int free_place(const struct server *s)
{
	int i = 0;

	while (i < SERVER_CLIENTS && s->client[i])
		i++;
	return i;
}

static void add_client(struct server *s, int fd)
{
	int i = free_place(s);

	/* Some may have left without our having heard of it: a burst of short connections must not lock others out. */
	for (int j = 0; i == SERVER_CLIENTS && j < SERVER_CLIENTS; j++) {
		client_serve(s->client[j], &s->qmp);
		if (client_is_done(s->client[j])) {
			drop(s, j);
			i = j;
		}
	}
	if (i == SERVER_CLIENTS) {
		refuse(fd, "too many clients");
		return;
	}
	s->client[i] = client_create(fd);
	if (!s->client[i] || watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, i) < 0) {
		if (s->client[i])
			drop(s, i);
		else
			close(fd);
		return;
	}
	s->client[i]->events = EPOLLIN;
}

static void accept_clients(struct server *s)
{
	int fd;

	do {
		fd = listener_accept(&s->listener);
		if (fd >= 0)
			add_client(s, fd);
	} while (fd >= 0 || fd == -EACCES || fd == -ECONNABORTED || fd == -EINTR);
	/* Out of descriptors or memory: the connection stays in the backlog and would wake us without end. */
	if (fd != -EAGAIN && watch(s, EPOLL_CTL_MOD, s->listener.fd, 0, TAG_LISTENER) == 0)
		s->listening = false;
}

static void take_notices(struct server *s)
{
	uint64_t count;

	(void)!read(s->wake_fd, &count, sizeof(count));
	if (atomic_exchange(&s->balloon_changed, false))
		broadcast(s, message_event("BALLOON_CHANGE",
		                           json_pack("{s:I}", "actual", (json_int_t)atomic_load(&s->balloon_actual))));
	pthread_mutex_lock(&s->paging_lock);
	if (s->paging_change)
		broadcast(s, message_event("PAGING_CHANGE", s->paging_change));
	s->paging_change = NULL;
	if (s->snapshot_end)
		broadcast(s, message_event("SNAPSHOT_END", s->snapshot_end));
	s->snapshot_end = NULL;
	pthread_mutex_unlock(&s->paging_lock);
}

/* The last event, and a moment for those who read. */
static void last_words(struct server *s)
{
	const int64_t limit = clock_ms() + SERVER_LAST_WORDS_MS;
	bool waiting;

	take_notices(s); /* of what ended with the run */
	broadcast(s, message_event("SHUTDOWN", json_pack("{s:b, s:s}", "guest", s->shutdown_by_guest, "reason",
	                                                 s->shutdown_reason)));
	do {
		const struct timespec pause = {.tv_nsec = 1000000};

		waiting = false;
		for (int i = 0; i < SERVER_CLIENTS; i++) {
			if (!s->client[i] || s->client[i]->hung_up)
				continue;
			client_flush(s->client[i]);
			waiting |= client_wants_to_send(s->client[i]) && !s->client[i]->hung_up;
		}
		if (waiting)
			nanosleep(&pause, NULL);
	} while (waiting && clock_ms() < limit);
	for (int i = 0; i < SERVER_CLIENTS; i++)
		if (s->client[i])
			drop(s, i);
}

static void handle(struct server *s, const struct epoll_event *e)
{
	const uint32_t tag = e->data.u32;

	if (tag == TAG_WAKE)
		take_notices(s);
	else if (tag == TAG_LISTENER)
		accept_clients(s);
	else if (s->client[tag])
		client_serve(s->client[tag], &s->qmp);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct epoll_event events[EPOLL_EVENTS];

	while (!atomic_load(&s->ending)) {
		const int idle = s->qmp.ops->idle(s->qmp.vm);
		int n = epoll_wait(s->epoll_fd, events, EPOLL_EVENTS, s->listening ? idle : RETRY_ACCEPT_MS);

		for (int i = 0; i < n; i++)
			handle(s, &events[i]);
		/* What was short may be there again. */
		if ((settle(s) || n == 0) && !s->listening)
			s->listening = watch(s, EPOLL_CTL_MOD, s->listener.fd, EPOLLIN, TAG_LISTENER) == 0;
	}
	last_words(s);
	return NULL;
}

static int make_fds(struct server *s)
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->wake_fd < 0 || watch(s, EPOLL_CTL_ADD, s->listener.fd, EPOLLIN, TAG_LISTENER) < 0 ||
	    watch(s, EPOLL_CTL_ADD, s->wake_fd, EPOLLIN, TAG_WAKE) < 0)
		return log_errno(errno, "control socket");
	return 0;
}

static void close_fds(struct server *s)
{
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	listener_close(&s->listener);
}

int server_open(struct server *s, const char *path, const struct control_ops *ops, void *vm)
{
	int r;

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->paging_lock, NULL);
	r = listener_open(&s->listener, path);
	if (r < 0)
		return r;
	s->qmp = (struct qmp){.ops = ops, .vm = vm, .broadcast = broadcast, .ctx = s};
	s->listening = true;
	r = make_fds(s);
	if (r < 0)
		close_fds(s);
	return r;
}

int server_run(struct server *s)
{
	int error = thread_start(&s->thread, serve, s);

	s->has_thread = error == 0;
	return error ? log_errno(error, "no thread for the control socket") : 0;
}

/* An eventfd that nobody reads for long may refuse; then it is readable already. */
static void wake(struct server *s)
{
	const uint64_t one = 1;

	(void)!write(s->wake_fd, &one, sizeof(one));
}

void server_stop(struct server *s, bool by_guest, const char *reason)
{
	s->shutdown_by_guest = by_guest;
	s->shutdown_reason = reason;
	atomic_store(&s->ending, true);
	wake(s);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	json_decref(s->paging_change);
	json_decref(s->snapshot_end);
	pthread_mutex_destroy(&s->paging_lock);
	close_fds(s);
}

void server_balloon_changed(struct server *s, uint64_t actual)
{
	atomic_store(&s->balloon_actual, actual);
	atomic_store(&s->balloon_changed, true);
	wake(s);
}

void server_paging_changed(struct server *s, const char *mode, const char *reason, const char *detail, uint64_t us)
{
	json_t *data =
	    json_pack("{s:s, s:s, s:s, s:I}", "mode", mode, "reason", reason, "detail", detail, "us", (json_int_t)us);

	pthread_mutex_lock(&s->paging_lock);
	json_decref(s->paging_change);
	s->paging_change = data;
	pthread_mutex_unlock(&s->paging_lock);
	wake(s);
}

void server_snapshot_ended(struct server *s, const struct control_snapshot *snapshot)
{
	json_t *data = message_snapshot(snapshot);

	pthread_mutex_lock(&s->paging_lock);
	json_decref(s->snapshot_end);
	s->snapshot_end = data;
	pthread_mutex_unlock(&s->paging_lock);
	wake(s);
}
