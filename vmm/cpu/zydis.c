/* SPDX-License-Identifier: MIT */
#include "cpu/zydis.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "cpu/present.h"

_Static_assert(ZYDIS_VERSION_MAJOR(ZYDIS_VERSION) == 4, "the decoder's interface is that of Zydis 4");

static __typeof__(ZydisDecoderInit) *init;
static __typeof__(ZydisDecoderEnableMode) *enable_mode;
static __typeof__(ZydisDecoderDecodeFull) *decode_full;
static ZydisDecoder decoder;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Whether its structures are those of the headers. */
static bool fits(void *library)
{
	__typeof__(ZydisGetVersion) *version = (__typeof__(version))dlsym(library, "ZydisGetVersion");

	return version && ZYDIS_VERSION_MAJOR(version()) == ZYDIS_VERSION_MAJOR(ZYDIS_VERSION) &&
	       ZYDIS_VERSION_MINOR(version()) == ZYDIS_VERSION_MINOR(ZYDIS_VERSION);
}

static void load(void)
{
	void *library = dlopen(ZYDIS_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		log_error("shadow paging decodes instructions with %s: %s", ZYDIS_LIBRARY, dlerror());
		return;
	}
	if (!fits(library)) {
		log_error("%s is not the version %s that Gnomon was built for", ZYDIS_LIBRARY, GNOMON_ZYDIS);
		return;
	}
	init = (__typeof__(init))dlsym(library, "ZydisDecoderInit");
	decode_full = (__typeof__(decode_full))dlsym(library, "ZydisDecoderDecodeFull");
	enable_mode = (__typeof__(enable_mode))dlsym(library, "ZydisDecoderEnableMode");
	if (!init || !enable_mode || !decode_full ||
	    ZYAN_FAILED(init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(enable_mode(&decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, !cpu_is_intel()))) {
		log_error("%s has not the functions that Gnomon was built for", ZYDIS_LIBRARY);
		decode_full = NULL;
	}
}

bool zydis_found(void)
{
	void *library = dlopen(ZYDIS_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
	const bool found = library && fits(library);

	if (library)
		dlclose(library);
	return found;
}

int zydis_load(void)
{
	pthread_once(&once, load);
	return decode_full ? 0 : -ENOENT;
}

ZyanStatus zydis_decode(const void *bytes, size_t length, ZydisDecodedInstruction *ret_insn,
                        ZydisDecodedOperand *ret_operands)
{
	BUG_ON(!decode_full);
	return decode_full(&decoder, bytes, length, ret_insn, ret_operands);
}
