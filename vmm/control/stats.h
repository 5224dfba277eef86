/* SPDX-License-Identifier: MIT */
/* query-stats and query-stats-schemas in QEMU's shapes. vCPUs are named /machine/cpu[N]. */
#ifndef GNOMON_CONTROL_STATS_H
#define GNOMON_CONTROL_STATS_H

#include "control/qmp.h"

extern const struct arg_schema stats_query_args[];
extern const struct arg_schema stats_schemas_args[];

json_t *stats_query(const struct qmp *q, json_t *args, struct control_error *err);
json_t *stats_schemas(const struct qmp *q, json_t *args, struct control_error *err);

#endif
