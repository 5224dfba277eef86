/* SPDX-License-Identifier: MIT */
/*
 * walk-drive GNOMON GUEST PAGING ADDRESSES SEED [WORD...]
 * Has the guest of walked.h touch random addresses, each after `walk` was asked about it while the guest stood still, and
 * compares frame, rights and error code. Words: `popf` or `stac`, how the guest sets RFLAGS.AC (else it never does);
 * `nxe`, EFER.NXE is always set; `qemu-npt`, the CPU forgets P beside RSVD. Status 1 at the first difference, 77 without KVM.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "drive.h"
#include "walked.h"

#define IN_SCENE 64 /* addresses */
#define PFEC_P   1
#define PFEC_R   8
#define VEC_PF   14
#define THROUGH  255

#define AT(member) (WALKED_MAILBOX + __builtin_offsetof(struct walked_mailbox, member))

static struct {
	uint64_t ac;
	bool nxe, qemu_npt;
} how;

struct question {
	uint64_t address, access, user, ac;
};

static uint64_t dice, turn;
static uint64_t shadows;  /* that were looked at behind a read */
static uint64_t kinds[6]; /* by how it ended: translated, nowhere, not present, reserved, denied, not canonical */
static double asked_us;

static uint64_t draw(uint64_t below)
{
	return walked_draw(&dice, below);
}

static void tell(const struct target *t, enum walked_what what)
{
	target_set(t, AT(what), what);
	target_set(t, AT(turn), ++turn);
	if (!target_wait(t, AT(done), turn))
		fail("the guest does not answer");
}

static void new_scene(const struct target *t)
{
	target_set(t, AT(seed), dice);
	target_set(t, AT(mode), draw(16) | (how.nxe ? WALKED_NXE : 0));
	tell(t, WALKED_SCENE);
}

/* Mostly where tables are. Never the kernel's own slots, nor those that no guest may use in shadow mode. */
static uint64_t draw_page(void)
{
	const uint64_t slot4 = draw(20) ? WALKED_SLOT_4 + draw(WALKED_SLOTS) : 12 + draw(240);
	const uint64_t slot3 = draw(30) ? draw(WALKED_SLOTS) : draw(512);
	const uint64_t slot2 = WALKED_SLOT_2 + draw(WALKED_SLOTS), slot1 = draw(30) ? draw(WALKED_SLOTS) : draw(512);
	const uint64_t page = slot4 << 39 | slot3 << 30 | slot2 << 21 | slot1 << 12;

	if (draw(40))
		return page;
	return draw(2) ? page | 1ull << (47 + draw(17))
	               : page | 0xffff800000000000 | 1ull << 46; /* not canonical; upper half */
}

static struct question draw_question(void)
{
	static const uint64_t kernel[] = {0, WALKED_DATA, WALKED_KERNEL_CODE},
	                      user[] = {0, WALKED_DATA, WALKED_USER_CODE};
	struct question q = {.access = draw(3), .user = draw(2)};

	q.ac = q.user || draw(2) ? 0 : how.ac;
	q.address = draw_page() + (q.user ? user : kernel)[q.access];
	if (q.address >> 39 == (0xffffff8000000000 | 508) || (q.address >> 39 & 511) == 508 ||
	    (q.address >> 39 & 511) == 256)
		q.address &= ~(1ull << 46);
	return q;
}

static json_t *ask(struct target *t, const struct question *q)
{
	static const char *const access[] = {"r", "w", "x"};
	const double before = now_us();
	char address[20];
	json_t *value;

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)q->address);
	if (connection_ask(&t->c, "walk",
	                   json_pack("{s:s, s:s, s:s}", "address", address, "access", access[q->access], "privilege",
	                             q->user ? "user" : "supervisor"),
	                   &value) < 0)
		fail("no answer");
	asked_us += now_us() - before;
	return value;
}

static uint64_t hex_at(const json_t *reply, const char *name)
{
	const char *text = json_string_value(json_object_get(reply, name));
	uint64_t value;

	if (!text || address_parse(text, &value) < 0)
		fail("the answer has no %s", name);
	return value;
}

static void different(const struct question *q, const struct walked_mailbox *m, const json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	fail("address %llu: access %llu of 0x%llx, user %llu, ac %llu: the guest got vector %llu, error code 0x%llx, "
	     "CR2 "
	     "0x%llx, frame 0x%llx, landed %llu\n%s",
	     (unsigned long long)turn / 2, (unsigned long long)q->access, (unsigned long long)q->address,
	     (unsigned long long)q->user, (unsigned long long)q->ac, (unsigned long long)m->vector,
	     (unsigned long long)m->error, (unsigned long long)m->cr2, (unsigned long long)m->frame,
	     (unsigned long long)m->landed, text);
}

static bool same_fault(const struct question *q, const struct walked_mailbox *m, const json_t *reply)
{
	uint64_t error = m->error;

	if (m->vector != (uint64_t)json_integer_value(json_object_get(reply, "vector")))
		return false;
	if (m->vector != VEC_PF)
		return true;
	if (how.qemu_npt && error & PFEC_R)
		error |= PFEC_P;
	return m->cr2 == q->address && error == (uint64_t)json_integer_value(json_object_get(reply, "error-code"));
}

static bool same_page(const struct question *q, const struct walked_mailbox *m, const json_t *reply)
{
	if (m->vector != THROUGH)
		return false;
	return m->frame == hex_at(reply, "gpa") / SLICE_PAGE && (q->access != 1 || m->landed);
}

/* What was just read is in the shadow, which leads to the same byte. The guest's RFLAGS.AC must be as it was. */
static void check_shadow(struct target *t, const struct question *q)
{
	json_t *reply = ask(t, q), *shadow = json_object_get(reply, "shadow");
	const json_t *last = json_array_get(shadow, json_array_size(shadow) - 1);
	const uint64_t page = (uint64_t)json_integer_value(json_object_get(last, "page"));

	if (!page || (hex_at(last, "to") | (q->address & (page - 1))) != hex_at(reply, "maddr"))
		fail("the shadow of 0x%llx: %s", (unsigned long long)q->address, json_dumps(reply, JSON_COMPACT));
	shadows++;
	json_decref(reply);
}

static void try_one(struct target *t)
{
	static const char *const outcomes[] = {"translated", "", "not-present", "reserved", "denied", "non-canonical"};
	const struct question q = draw_question();
	struct walked_mailbox m;
	const char *outcome;
	json_t *reply;
	size_t kind = 0;

	target_write(t, AT(address), &q, sizeof(q));
	tell(t, WALKED_PREPARE);
	reply = ask(t, &q);
	outcome = json_string_value(json_object_get(reply, "outcome"));
	while (kind < 6 && strcmp(outcome, outcomes[kind]) != 0)
		kind++;
	if (kind == 6)
		fail("outcome %s", outcome);
	if (kind == 0 && !json_is_true(json_object_get(reply, "memory")))
		kind = 1;
	if (kind == 1) { /* whoever goes there is killed */
		kinds[kind]++;
		json_decref(reply);
		return;
	}
	tell(t, WALKED_TOUCH);
	if (!target_read(t, WALKED_MAILBOX, &m, sizeof(m)))
		fail("the run ended");
	if (kind == 0 ? !same_page(&q, &m, reply) : !same_fault(&q, &m, reply))
		different(&q, &m, reply);
	kinds[kind]++;
	if (kind == 0 && q.access == 0 && !q.ac && json_object_get(reply, "shadow-end"))
		check_shadow(t, &q);
	json_decref(reply);
}

static void parse_words(char **word)
{
	for (; *word; word++) {
		if (strcmp(*word, "stac") == 0)
			how.ac = 1;
		else if (strcmp(*word, "popf") == 0)
			how.ac = 2;
		else if (strcmp(*word, "nxe") == 0)
			how.nxe = true;
		else if (strcmp(*word, "qemu-npt") == 0)
			how.qemu_npt = true;
		else
			fail("unknown word %s", *word);
	}
}

static bool has_kvm(void)
{
	const char *device = getenv("GNOMON_KVM_DEVICE"), *must = getenv("GNOMON_MUST_HAVE_KVM");
	const int fd = open(device ? device : "/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (must && strcmp(must, "1") == 0)
		fail("there is no /dev/kvm");
	return fd >= 0;
}

int main(int argc, char **argv)
{
	struct job job = {.cpus = 1};
	char err[OUTPUT];
	struct target t;
	uint64_t wanted;

	if (argc < 6)
		fail("usage: walk-drive GNOMON GUEST PAGING ADDRESSES SEED [popf | stac] [nxe] [qemu-npt]");
	job.gnomon = argv[1];
	job.guest = argv[2];
	job.paging = argv[3];
	wanted = strtoull(argv[4], NULL, 10);
	dice = strtoull(argv[5], NULL, 10) | 1;
	parse_words(argv + 6);
	if (!has_kvm())
		return 77;
	target_start(&t, &job);
	for (uint64_t n = 0; n < wanted; n++) {
		if (n % IN_SCENE == 0)
			new_scene(&t);
		try_one(&t);
	}
	if (!target_command(&t, "quit") || target_end(&t, err) || *err)
		fail("the run ends badly: %s", err);
	printf("walk: %s, %llu addresses, 0 differences: %llu translated, %llu nowhere, %llu not present, %llu "
	       "reserved, %llu "
	       "denied, %llu not canonical; %llu of the shadow, too; %.0f us for an answer\n",
	       job.paging, (unsigned long long)wanted, (unsigned long long)kinds[0], (unsigned long long)kinds[1],
	       (unsigned long long)kinds[2], (unsigned long long)kinds[3], (unsigned long long)kinds[4],
	       (unsigned long long)kinds[5], (unsigned long long)shadows, asked_us / (double)wanted);
	return 0;
}
