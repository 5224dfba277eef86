/* SPDX-License-Identifier: MIT */
/* What the guest does is the word behind the image: test_attacks.c has the list, and what must come of each. */
#include "lib.h"

#include "attacks.h"

static const struct {
	const char *name;
	void (*run)(void);
} attacks[] = {
    {"calls", attack_calls},
    {"errors", attack_errors},
    {"pages", attack_pages},
    {"runs", attack_runs},
    {"two-cpus", attack_two_cpus},
    {"vectors", attack_vectors},
    {"zero", attack_zero},
    {"read", attack_read},
    {"write", attack_write},
    {"execute", attack_execute},
    {"remap", attack_remap},
    {"table", attack_table},
    {"request", attack_request},
    {"queue", attack_queue},
    {"hammer", attack_hammer},
    {"fetch", attack_fetch},
    {"loop", attack_loop},
    {"taken", attack_taken},
    {"churn", attack_churn},
    {"random", attack_random},
    {"version", attack_version},
    {"off", attack_off},
    {"pending", attack_pending},
    {"idle", attack_idle},
    {"seal", attack_seal},
    {"misaligned", attack_misaligned},
    {"share_table", attack_share_table},
    {"unshare_table", attack_unshare_table},
    {"answer-in-table", attack_answer_in_table},
    {"flicker", attack_flicker},
    {"balloon", attack_balloon},
    {"misaligned_walks", attack_misaligned_walks},
    {"version_walks", attack_version_walks},
    {"batch", attack_batch},
    {"code", attack_code},
    {"ids", attack_ids},
    {"random-two", attack_random_two},
    {"many", attack_many},
};

__attribute__((noreturn)) void guest_main(const void *fdt);

void guest_main(const void *fdt)
{
	const char *name = word(fdt);

	for (unsigned i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		if (!same(name, attacks[i].name))
			continue;
		attacks[i].run();
		say(wrong ? "damage\n" : "done\n");
		end(wrong ? 1 : 0);
	}
	say("no such attack\n");
	end(2);
}
