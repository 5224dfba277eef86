/* SPDX-License-Identifier: MIT */
/* The commands with which `gnomon dedup` merges the memory of guests. */
#ifndef GNOMON_CONTROL_DEDUP_H
#define GNOMON_CONTROL_DEDUP_H

#include "control/qmp.h"

extern const struct arg_schema dedup_store_args[];
extern const struct arg_schema dedup_places_args[];
extern const struct arg_schema dedup_ranges_args[];

json_t *dedup_store(const struct qmp *q, json_t *args, struct control_error *err);
json_t *dedup_places(const struct qmp *q, json_t *args, struct control_error *err);
json_t *dedup_give(const struct qmp *q, json_t *args, struct control_error *err);
json_t *dedup_take(const struct qmp *q, json_t *args, struct control_error *err);
json_t *dedup_advise(const struct qmp *q, json_t *args, struct control_error *err);

#endif
