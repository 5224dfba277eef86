/* SPDX-License-Identifier: MIT */
#include "trap/zydis.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

_Static_assert(ZYDIS_VERSION_MAJOR(ZYDIS_VERSION) == 4 && ZYDIS_VERSION_MINOR(ZYDIS_VERSION) == 0, ZYDIS_LIBRARY);

static __typeof__(ZydisDecoderInit) *init;
static __typeof__(ZydisDecoderDecodeFull) *decode_full;
static ZydisDecoder decoder;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
	void *library = dlopen(ZYDIS_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		log_error("shadow paging decodes instructions with %s: %s", ZYDIS_LIBRARY, dlerror());
		return;
	}
	init = (__typeof__(init))dlsym(library, "ZydisDecoderInit");
	decode_full = (__typeof__(decode_full))dlsym(library, "ZydisDecoderDecodeFull");
	if (!init || !decode_full || ZYAN_FAILED(init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))) {
		log_error("%s has not the functions that Gnomon was built for", ZYDIS_LIBRARY);
		decode_full = NULL;
	}
}

bool zydis_found(void)
{
	void *library = dlopen(ZYDIS_LIBRARY, RTLD_LAZY | RTLD_LOCAL);

	if (library)
		dlclose(library);
	return library;
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
