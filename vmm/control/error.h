/* SPDX-License-Identifier: MIT */
/* Why a command failed, in QMP's terms. */
#ifndef GNOMON_CONTROL_ERROR_H
#define GNOMON_CONTROL_ERROR_H

/* QMP's error classes, as far as used here. Clients act on the class, people read the words. */
#define ERROR_GENERIC    "GenericError"
#define ERROR_NO_COMMAND "CommandNotFound"
#define ERROR_NOT_ACTIVE "DeviceNotActive"

struct control_error {
	const char *class; /* NULL: no error yet */
	char desc[256];
};

/* Fills in a GenericError. Returns -errnum, so that a failing function can end with it. */
int control_fail(struct control_error *err, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with a class of its own. */
int control_fail_class(struct control_error *err, const char *class, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
