/* SPDX-License-Identifier: MIT */
/* All workloads. Their order is that of the tables. */
#include "bench/workload/ablation.h"
#include "bench/workload/apps.h"
#include "bench/workload/auto.h"
#include "bench/workload/balloon.h"
#include "bench/workload/chase.h"
#include "bench/workload/costs.h"
#include "bench/workload/enclave.h"
#include "bench/workload/fork.h"
#include "bench/workload/miss.h"
#include "bench/workload/nano.h"
#include "bench/workload/sharing.h"
#include "bench/workload/startup.h"
#include "bench/workload/switch.h"
#include "bench/workload/walks.h"

/* One a line. */
/* clang-format off */
const struct workload *const workload_catalogue[] = {
    &miss_workload,
    &chase_workload,
    &startup_workload,
    &costs_workload,
    &nano_workload,
    &ablation_workload,
    &balloon_workload,
    &walks_workload,
    &switch_workload,
    &auto_workload,
    &enclave_workload,
    &apps_workload,
    &sharing_workload,
    &fork_workload,
    NULL,
};
/* clang-format on */

const char *workload_name(size_t i)
{
	return workload_catalogue[i] ? workload_catalogue[i]->name : NULL;
}
