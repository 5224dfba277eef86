/* SPDX-License-Identifier: MIT */
/* What `gnomon enclave` can do: argv[0] is "gnomon enclave ACTION". Each returns the exit status. */
#ifndef GNOMON_CMD_ENCLAVE_H
#define GNOMON_CMD_ENCLAVE_H

int enclave_measure_file(int argc, char **argv);
int enclave_verify_report(int argc, char **argv);
int enclave_list(int argc, char **argv);

#endif
