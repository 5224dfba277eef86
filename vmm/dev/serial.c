/* SPDX-License-Identifier: MIT */
#include "dev/serial.h"

#include <errno.h>
#include <gnomon/abi.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR, REG_NR };

#define IER_MASK        0x0f
#define MCR_MASK        0x1f
#define LCR_DLAB        0x80 /* the divisor stands in the first two registers */
#define IIR_NO_INTR     0x01
#define LSR_THRE        0x20 /* transmitter can take a byte */
#define LSR_TEMT        0x40 /* transmitter is idle */
#define MSR_DCD_DSR_CTS 0xb0

/* Waits until the line takes PIPE_BUF bytes. False when the run ends before. */
static bool wait_for_room(const struct serial *s)
{
	struct pollfd fds[] = {{.fd = s->out_fd, .events = POLLOUT}, {.fd = s->end_fd, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return fds[0].revents;
}

/* The guest does not hear of it, no more than on a real line; the user does, once. */
static void lost(struct serial *s, int error)
{
	if (!s->error)
		log_errno(error, "cannot write the guest's console");
	s->error = error;
}

static void transmit(struct serial *s, const uint8_t *data, size_t len)
{
	counter_add(s->counters, CTR_CONSOLE_BYTES, len);
	while (len) {
		ssize_t n;

		if (!wait_for_room(s))
			return;
		n = write(s->out_fd, data, len < PIPE_BUF ? len : PIPE_BUF);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0) {
			lost(s, n ? errno : EIO);
			return;
		}
		data += n;
		len -= n;
	}
}

static void reg_write(struct serial *s, uint64_t reg, uint8_t v)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			s->divisor = (s->divisor & 0xff00) | v;
		else
			transmit(s, &v, 1);
		break;
	case REG_IER:
		if (dlab)
			s->divisor = (s->divisor & 0x00ff) | v << 8;
		else
			s->ier = v & IER_MASK;
		break;
	case REG_LCR:
		s->lcr = v;
		break;
	case REG_MCR:
		s->mcr = v & MCR_MASK;
		break;
	case REG_SCR:
		s->scr = v;
		break;
	default: /* FIFO control has no effect on a line without delay; LSR and MSR are read-only */
		break;
	}
}

static uint8_t reg_read(const struct serial *s, uint64_t reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? s->divisor & 0xff : 0;
	case REG_IER:
		return dlab ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		return IIR_NO_INTR;
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return LSR_THRE | LSR_TEMT;
	case REG_MSR:
		return MSR_DCD_DSR_CTS;
	default:
		return s->scr;
	}
}

static void serial_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct serial *s = dev->owner;

	pthread_mutex_lock(&s->lock);
	if (!a->write) {
		memset(a->data, 0xff, (size_t)a->size * a->count);
		for (uint32_t i = 0; i < a->count; i++)
			a->data[i * a->size] = reg_read(s, a->offset);
	} else if (a->size == 1 && a->offset == REG_DATA && !(s->lcr & LCR_DLAB)) {
		transmit(s, a->data, a->count); /* rep outsb: one write for the whole buffer */
	} else {
		for (uint32_t i = 0; i < a->count; i++)
			reg_write(s, a->offset, a->data[i * a->size]);
	}
	pthread_mutex_unlock(&s->lock);
}

static void serial_reset(struct bus_device *dev)
{
	struct serial *s = dev->owner;

	pthread_mutex_lock(&s->lock);
	s->ier = s->lcr = s->mcr = s->scr = 0;
	s->divisor = 0;
	pthread_mutex_unlock(&s->lock);
}

void serial_init(struct serial *s, int out_fd, int end_fd, struct counters *counters)
{
	*s = (struct serial){
	    .bus =
	        {.base = GNOMON_PORT_SERIAL, .len = REG_NR, .access = serial_access, .reset = serial_reset, .owner = s},
	    .out_fd = out_fd,
	    .end_fd = end_fd,
	    .counters = counters,
	};
	pthread_mutex_init(&s->lock, NULL);
}

void serial_save(struct serial *s, struct serial_saved *ret_saved)
{
	pthread_mutex_lock(&s->lock);
	*ret_saved =
	    (struct serial_saved){.ier = s->ier, .lcr = s->lcr, .mcr = s->mcr, .scr = s->scr, .divisor = s->divisor};
	pthread_mutex_unlock(&s->lock);
}

void serial_restore(struct serial *s, const struct serial_saved *saved)
{
	pthread_mutex_lock(&s->lock);
	s->ier = saved->ier & IER_MASK;
	s->lcr = saved->lcr;
	s->mcr = saved->mcr & MCR_MASK;
	s->scr = saved->scr;
	s->divisor = saved->divisor;
	pthread_mutex_unlock(&s->lock);
}
