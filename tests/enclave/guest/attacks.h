/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ENCLAVE_ATTACKS_H
#define TESTS_ENCLAVE_ATTACKS_H

#include <stdint.h>

/* attack_kill.c: FRAME(40 to 42) become tables that lead ALIAS to `gpa`. */
void map_alias(uint64_t gpa);
#define ALIAS 0x8000000000 /* PML4 slot 1 */

/* attack_build.c: while an enclave is built, and with memory */
void attack_calls(void);
void attack_errors(void);
void attack_pages(void);
void attack_batch(void);
void attack_zero(void);
void attack_taken(void);
void attack_churn(void);
void attack_flicker(void);
void attack_off(void);
void attack_ids(void);

/* attack_random.c */
void attack_random(void);
void attack_random_two(void);
void attack_many(void);

/* attack_run.c: while one runs */
void attack_runs(void);
void attack_two_cpus(void);
void attack_vectors(void);
void attack_loop(void);
void attack_pending(void);
void attack_idle(void);

/* attack_kill.c: the guest does not survive these */
void attack_read(void);
void attack_write(void);
void attack_execute(void);
void attack_remap(void);
void attack_table(void);
void attack_request(void);
void attack_version(void);
void attack_misaligned(void);
void attack_misaligned_walks(void);
void attack_version_walks(void);
void attack_queue(void);
void attack_hammer(void);

/* attack_fetch.c: a request, or an enclave, that changes while it is served */
void attack_fetch(void);
void attack_seal(void);

/* attack_balloon.c: another device wants the page */
void attack_balloon(void);

/* attack_table.c: with tables in force */
void attack_share_table(void);
void attack_unshare_table(void);
void attack_answer_in_table(void);

/* attack_code.c: an enclave that is hostile itself */
void attack_code(void);

#endif
