/* SPDX-License-Identifier: MIT */
#include "control/error.h"

#include <stdarg.h>
#include <stdio.h>

int control_fail(struct control_error *err, int errnum, const char *fmt, ...)
{
	va_list args;

	err->class = ERROR_GENERIC;
	va_start(args, fmt);
	vsnprintf(err->desc, sizeof(err->desc), fmt, args);
	va_end(args);
	return -errnum;
}

int control_fail_class(struct control_error *err, const char *class, int errnum, const char *fmt, ...)
{
	va_list args;

	err->class = class;
	va_start(args, fmt);
	vsnprintf(err->desc, sizeof(err->desc), fmt, args);
	va_end(args);
	return -errnum;
}
