/* SPDX-License-Identifier: MIT */
/* What the pages under test and the FPU's images hold. Nothing here depends on the machine. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>
#include <string.h>

#include "check.h"

#define TABLE       (PTE_P | PTE_W | PTE_U | PTE_A)
#define LEAF        (TABLE | PTE_D)
#define FXSAVE_PAGE 1 /* FXRSTOR may find something it likes at the beginning of this one, */
#define XSAVE_PAGE  4 /* and XRSTOR of this one */
#define XSTATE_BV   512
#define X87_SSE     3
/* FXSAVE's image, APM2 11.4.4 */
#define FCW         0
#define FSW         2
#define FTW         4
#define MXCSR       24
#define ST(n)       (32 + 16 * (n))
#define XMM(n)      (160 + 16 * (n))
#define FCW_MASKS   0x003f
#define FCW_ROUND   0x0f00 /* RC, PC */
#define MXCSR_MASK  0x1f80
#define MXCSR_OTHER 0xe07f /* FTZ, RC, DAZ, flags; not the masks */

static void put(uint8_t *at, uint64_t value, unsigned size)
{
	memcpy(at, &value, size);
}

static uint64_t special_double(struct dice *d)
{
	static const uint64_t special[] = {0,
	                                   0x8000000000000000,
	                                   0x7ff0000000000000,
	                                   0xfff0000000000000,
	                                   0x7ff8000000000001,
	                                   0x7ff0000000000001,
	                                   0x0000000000000001,
	                                   0x000fffffffffffff,
	                                   0x3ff0000000000000,
	                                   0xbff8000000000000,
	                                   0x7fefffffffffffff,
	                                   0x43e0000000000000};

	return special[dice_throw(d, sizeof(special) / sizeof(*special))];
}

static uint64_t special_floats(struct dice *d)
{
	static const uint32_t special[] = {0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001,
	                                   1, 0x007fffff, 0x3f800000, 0xc0200000, 0x7f7fffff, 0x4f000000};
	const unsigned n = sizeof(special) / sizeof(*special), low = dice_throw(d, n);

	return (uint64_t)special[dice_throw(d, n)] << 32 | special[low];
}

uint64_t memory_word(struct dice *d)
{
	switch (dice_throw(d, 8)) {
	case 0:
		return special_double(d);
	case 1:
		return special_floats(d);
	case 2:
		return WINDOW_LOW + dice_throw(d, TEST_PAGES * PAGE_BYTES);
	case 3:
		return WINDOW_HIGH + dice_throw(d, TEST_PAGES * PAGE_BYTES);
	case 4:
		return LANDING_VA + dice_throw(d, PAGE_BYTES);
	default:
		return dice_value(d);
	}
}

static void fill_fpu(struct dice *d, bool small, uint8_t *image, unsigned len)
{
	const uint64_t any = dice_u64(d);
	const unsigned kind = dice_throw(d, 48);

	for (unsigned at = 0; at < len; at += 8) {
		const uint64_t lanes = dice_one_in(d, 2) ? 0x3f : 0x3f0000003f;

		put(image + at, small ? dice_u64(d) & lanes : memory_word(d), 8);
	}
	/* Most exceptions are masked most of the time; now and then one waits. */
	put(image + FCW, (any & (FCW_ROUND | FCW_MASKS)) | 0x40 | (kind % 6 ? FCW_MASKS : 0), 2);
	put(image + FSW, any >> 16 & (kind % 4 ? 0x7f00 : 0x7f7f), 2);
	put(image + FTW, any >> 32 | (kind % 2 ? 0xff : 0), 1);
	put(image + FTW + 1, 0, 1);
	put(image + 6, 0, 8);
	put(image + 14, 0, 8);
	put(image + MXCSR, (any >> 48 & (MXCSR_OTHER | MXCSR_MASK)) | (kind / 6 % 6 ? MXCSR_MASK : 0), 8);
	for (unsigned n = 0; n < 8; n++) {
		const unsigned form = dice_throw(d, 8);
		const uint64_t mantissa = dice_u64(d), near_one = 0x3fdf + dice_throw(d, 64);
		const uint64_t sign = any >> n & 0x8000, low = any >> n & 0xffff;

		put(image + ST(n), form < 2 ? memory_word(d) : mantissa | 1ull << 63, 8);
		put(image + ST(n) + 8, form == 0 ? 0x7fff : form < 4 ? low : near_one | sign, 8);
	}
	memset(image + XMM(16), 0, XSTATE_BV - XMM(16));
}

void memory_fpu_images(uint64_t seed, uint64_t xfeatures, uint8_t images[FPU_IMAGES][FPU_BYTES])
{
	for (unsigned i = 0; i < FPU_IMAGES; i++) {
		struct dice d = dice_init(seed, ~(uint64_t)i);

		fill_fpu(&d, i >= FPU_SMALL, images[i], FPU_BYTES);
		memset(images[i] + XSTATE_BV, 0, 64);
		put(images[i] + XSTATE_BV, xfeatures, 8);
	}
}

static void fill_tables(uint8_t pages[TEST_PAGES][PAGE_BYTES])
{
	const unsigned live = LIVE_ENTRY * 8;

	put(pages[PAGE_TABLE3] + live, (TEST_PHYS + PAGE_TABLE2 * PAGE_BYTES) | TABLE, 8);
	put(pages[PAGE_TABLE2] + live, (TEST_PHYS + PAGE_TABLE1 * PAGE_BYTES) | TABLE, 8);
	put(pages[PAGE_TABLE1] + live, TOUCH_PHYS | LEAF, 8);
	put(pages[PAGE_FORMER] + live, TOUCH_PHYS | LEAF, 8);
	put(pages[PAGE_TABLE2] + FORMER_ENTRY * 8, 0, 8);
}

void memory_fill(uint64_t seed, uint8_t pages[TEST_PAGES][PAGE_BYTES])
{
	for (unsigned page = 0; page < TEST_PAGES; page++) {
		struct dice d = dice_init(seed, ~(uint64_t)(FPU_IMAGES + page));

		for (unsigned at = 0; at < PAGE_BYTES; at += 8)
			put(pages[page] + at, memory_word(&d), 8);
		if (page == FXSAVE_PAGE || page == XSAVE_PAGE)
			fill_fpu(&d, false, pages[page], XSTATE_BV);
		if (page == XSAVE_PAGE) {
			memset(pages[page] + XSTATE_BV, 0, 64);
			pages[page][XSTATE_BV] = X87_SSE;
		}
	}
	fill_tables(pages);
}

bool guest_maps(uint64_t address)
{
	static const uint64_t windows[] = {WINDOW_LOW, WINDOW_HIGH};

	for (unsigned w = 0; w < 2; w++)
		if (address - windows[w] < TEST_PAGES * PAGE_BYTES)
			return page_kinds[(address - windows[w]) / PAGE_BYTES] != PAGE_HOLE;
	if (address - CODE_VA < CODE_PAIRS * CODE_PAIR)
		return (address - CODE_VA) % CODE_PAIR < 2 * PAGE_BYTES;
	return address < 1ull << 30 || address - GNOMON_BOOT_VIRT < 1ull << 30 ||
	       address / PAGE_BYTES == LANDING_VA / PAGE_BYTES || address / PAGE_BYTES == LIVE_VA / PAGE_BYTES;
}
