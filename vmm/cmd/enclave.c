/* SPDX-License-Identifier: MIT */
/* gnomon enclave: finds the action. */
#include "cmd/enclave.h"

#include "cmd/actions.h"
#include "cmd/cmd.h"

int cmd_enclave(int argc, char **argv)
{
	static const struct action actions[] = {
	    {"measure", enclave_measure_file, "compute the measurement of an enclave from its file"},
	    {"verify", enclave_verify_report, "check a report, without any guest"},
	    {"list", enclave_list, "list the enclaves of a running guest"},
	};

	return action_run(
	    argc, argv, actions, sizeof(actions) / sizeof(*actions),
	    "Looks at enclaves from outside: before they are built, at what they report, and while they run.");
}
