/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <stddef.h>

int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;
	int error = pthread_attr_init(&attr);

	if (error)
		return error;
	error = pthread_attr_setstacksize(&attr, THREAD_STACK);
	if (error == 0)
		error = pthread_create(ret_thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return error;
}
