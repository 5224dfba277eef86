/* SPDX-License-Identifier: MIT */
/* A thread whose stack has one size everywhere: pthread_create(3) takes the limit of the user's (`ulimit -s`) otherwise. */
#ifndef GNOMON_BASE_THREAD_H
#define GNOMON_BASE_THREAD_H

#include <pthread.h>

#include "base/log.h"

/*
 * Room for a value of JSON that is nested 1024 times, twice over, and for whatever vCPUs do. Less than a huge page: the
 * kernel gives none for it.
 */
#define THREAD_STACK (1 << 20)

/* As pthread_create(3): 0, or an errno and *ret_thread is undefined. */
int must_check thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

#endif
