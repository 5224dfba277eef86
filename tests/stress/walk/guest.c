/* SPDX-License-Identifier: MIT */
/* The guest of walked.h, on the accesses of the permission oracle (tests/oracle). */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "oracle.h"
#include "slice.h"
#include "walked.h"

#define KERNEL_OK NO_VECTOR
#define PAGE      4096
#define PAT_LARGE (1ull << 12)

void main(const void *fdt) __attribute__((noreturn));
void access_kernel(int kind, uint64_t address, uint64_t value);
void access_user(uint64_t code, uint64_t address, uint64_t value);

extern char user_read[], user_write[], user_fetch[];
extern volatile uint64_t trapped_vector, trapped_error, trapped_rcx;

static struct walked_mailbox *const mailbox = (struct walked_mailbox *)WALKED_MAILBOX;
static uint64_t dice;

static uint64_t draw(uint64_t below)
{
	return walked_draw(&dice, below);
}

/* --- tables --- */

static uint64_t table(int level, uint64_t n)
{
	return WALKED_TABLES + (level == 3 ? n : level == 2 ? 8 + n : 16 + n) * PAGE;
}

static uint64_t leaf(int level)
{
	if (level == 3)
		return 0;
	if (level == 2)
		return WALKED_ARENA + (draw(WALKED_BYTES >> 21) << 21);
	return draw(40) ? WALKED_ARENA + draw(WALKED_BYTES / PAGE) * PAGE : WALKED_NOWHERE;
}

static uint64_t reserved(int level, bool large)
{
	if (large && draw(2))
		return level == 2 ? 1ull << (13 + draw(8)) : 1ull << (13 + draw(17));
	if (level == 4 && draw(2))
		return PTE_PS;
	return maxphyaddr < 52 ? 1ull << (maxphyaddr + draw(52 - maxphyaddr)) : 0;
}

static uint64_t entry(int level, bool nxe)
{
	const bool large = (level == 2 && !draw(4)) || (level == 3 && gbpages && !draw(12));
	uint64_t e;

	if (!draw(20))
		return draw(1ull << 40) << 1;
	e = PTE_P | (draw(5) ? PTE_W : 0) | (draw(10) < 7 ? PTE_U : 0) | (draw(nxe ? 8 : 64) ? 0 : PTE_NX);
	e |= (draw(2) ? PTE_A : 0) | (draw(2) ? PTE_D : 0);
	if (large || level == 1)
		e |= leaf(level) | (large ? PTE_PS : 0) | (large && !draw(4) ? PAT_LARGE : 0);
	else
		e |= table(level - 1, draw(level == 2 ? 16 : 8));
	return draw(40) ? e : e | reserved(level, large);
}

static void fill(uint64_t *at, int level, bool nxe)
{
	for (int i = 0; i < WALKED_SLOTS; i++)
		at[i + (level == 4 ? WALKED_SLOT_4 : level == 2 ? WALKED_SLOT_2 : 0)] = entry(level, nxe);
}

static void make_scene(void)
{
	const bool nxe = mailbox->mode & WALKED_NXE;
	const struct mode mode = {.wp = mailbox->mode & WALKED_WP,
	                          .nxe = nxe,
	                          .smep = mailbox->mode & WALKED_SMEP,
	                          .smap = mailbox->mode & WALKED_SMAP};
	uint64_t cr3;

	dice = mailbox->seed | 1;
	observe_mode(&mode);
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	fill((uint64_t *)cr3, 4, nxe);
	for (int n = 0; n < 8; n++) {
		fill((uint64_t *)table(3, n), 3, nxe);
		fill((uint64_t *)table(2, n), 2, nxe);
	}
	for (int n = 0; n < 16; n++)
		fill((uint64_t *)table(1, n), 1, nxe);
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static void put_code(uint8_t *at, uint32_t frame, uint8_t last)
{
	at[0] = 0xb9; /* mov $frame, %ecx */
	__builtin_memcpy(at + 1, &frame, sizeof(frame));
	at[5] = last;
}

static void mark_arena(void)
{
	for (uint64_t at = WALKED_ARENA; at < WALKED_ARENA + WALKED_BYTES; at += PAGE) {
		*(uint64_t *)at = at / PAGE;
		put_code((uint8_t *)at + WALKED_KERNEL_CODE, at / PAGE, 0xc3);
		put_code((uint8_t *)at + WALKED_USER_CODE, at / PAGE, 0xcc);
	}
}

/* --- accesses --- */

static void set_ac(uint64_t how, bool set)
{
	uint64_t flags;

	if (how == 1 && set)
		__asm__ volatile("stac" : : : "memory", "cc");
	else if (how == 1)
		__asm__ volatile("clac" : : : "memory", "cc");
	if (how != 2)
		return;
	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	flags = set ? flags | RFLAGS_AC : flags & ~(uint64_t)RFLAGS_AC;
	__asm__ volatile("push %0; popfq" : : "r"(flags) : "memory", "cc");
}

/* True: it went through. */
static bool make(uint64_t kind, uint64_t address, uint64_t value)
{
	static char *const code[] = {user_read, user_write, user_fetch};

	if (mailbox->user)
		access_user(USER_VA + (code[kind] - user_read), address, value);
	else
		access_kernel((int)kind, address, value);
	return trapped_vector == (mailbox->user ? VEC_BP : KERNEL_OK);
}

static void touch(void)
{
	const uint64_t value = ~mailbox->turn;
	const bool through = make(mailbox->access, mailbox->address, value);

	mailbox->vector = through ? KERNEL_OK : trapped_vector;
	mailbox->error = trapped_error;
	__asm__ volatile("mov %%cr2, %0" : "=r"(mailbox->cr2));
	mailbox->frame = trapped_rcx;
	mailbox->landed = 0;
	if (through && mailbox->access == WRITE && make(READ, mailbox->address & ~(PAGE - 1ull), 0)) {
		mailbox->frame = trapped_rcx;
		mailbox->landed = mailbox->frame < SLICE_MEMORY / PAGE &&
		                  *(volatile uint64_t *)(mailbox->frame * PAGE + WALKED_DATA) == value;
	}
}

static void serve(void)
{
	switch (mailbox->what) {
	case WALKED_SCENE:
		make_scene();
		break;
	case WALKED_PREPARE:
		set_ac(mailbox->ac, true);
		break;
	case WALKED_TOUCH:
		touch();
		set_ac(mailbox->ac, false);
		break;
	default:
		end(SLICE_BAD_ARGS);
	}
}

void main(const void *fdt)
{
	observe_init(false);
	mark_arena();
	((struct slice_mailbox *)SLICE_MAILBOX)->magic = SLICE_MAGIC;
	print("ready\n");
	for (uint64_t turn = 1;; turn++) {
		while (__atomic_load_n(&mailbox->turn, __ATOMIC_ACQUIRE) < turn)
			__asm__ volatile("pause");
		serve();
		__atomic_store_n(&mailbox->done, turn, __ATOMIC_RELEASE);
	}
}
