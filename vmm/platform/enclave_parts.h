/* SPDX-License-Identifier: MIT */
/* Shared by platform/enclave*.c. Nobody else includes it. */
#ifndef GNOMON_PLATFORM_ENCLAVE_PARTS_H
#define GNOMON_PLATFORM_ENCLAVE_PARTS_H

#include <stdatomic.h>

#include "platform/enclave.h"
#include "vm/vcpu.h"

/* What an enclave has of guest memory. */
struct enclave_pages {
	uint64_t base, nr;
	uint64_t *gpa; /* by page of the enclave: the guest's page, or NO_PAGE */
	gpa_t buffer;
	uint64_t buffer_size;
};
#define NO_PAGE UINT64_MAX

struct enclave_errand {
	struct gnomon_enclave_request request;
	struct gnomon_enclave_walks walks; /* instead */
	gpa_t at;
};

struct platform_enclaves {
	struct vm *vm;           /* NULL unless it is attached */
	bool dead;               /* the monitor is */
	atomic_bool given_up;    /* a call came to nothing: the run ends, and no other call waits */
	pthread_mutex_t vm_lock; /* both, against the VM's end, for a thread that is not its own */
	struct bus_device port;
	struct monitor *monitor;
	uint64_t memory;           /* secure memory */
	int levels;                /* of the third stage */
	int own_slot;              /* of the monitor, for threads that are no vCPU's */
	pthread_mutex_t look_lock; /* own_slot; comes before `lock` */
	pthread_mutex_t lock;      /* pages, content */
	/* Of an ADD, GNOMON_ENCLAVE_ADD_MAX pages: the monitor cannot change what may have to go back. */
	uint8_t (*content)[PAGE_SIZE];
	struct enclave_pages pages[GNOMON_ENCLAVE_MAX + 1];
	struct bus_device walks_port;
	struct vcpu_errand errand, walks_errand;
	struct enclave_errand *errands; /* of each vCPU */
};

/* ---- platform/enclave_call.c ---- */

/*
 * The request of `size` bytes whose address the guest wrote to a port, copied once. `what` is for the sentence. False:
 * there is none; the guest was killed if it is to blame. A read floats high.
 */
bool platform_enclave_take(struct vcpu *vcpu, const struct bus_access *a, const char *what, size_t size,
                           void *ret_request, gpa_t *ret_at);

/* The guest's request becomes the slot's. The monitor looks at what belongs to the call. */
void platform_enclave_request(struct platform_enclaves *e, int slot, const struct gnomon_enclave_request *q);

/*
 * Has the monitor do what the slot's request says, for a vCPU's thread (its number) or own_slot. What comes back was
 * checked. False: this call or one before it came to nothing, which one of them says, and the run has been ended.
 */
bool platform_enclave_call(struct platform_enclaves *e, int slot, enum monitor_op op, struct monitor_reply *ret_reply);

/* Both, for a call of which nobody wants more than its status. */
enum gnomon_enclave_status platform_enclave_ask(struct platform_enclaves *e, int slot, enum monitor_op op,
                                                const struct gnomon_enclave_request *q);

/* platform/enclave_pages.c: the calls that move memory; `lock` is held. */
enum gnomon_enclave_status platform_enclave_create(struct platform_enclaves *e, int slot,
                                                   const struct gnomon_enclave_request *q);
enum gnomon_enclave_status platform_enclave_add(struct platform_enclaves *e, int slot,
                                                const struct gnomon_enclave_request *q);
enum gnomon_enclave_status platform_enclave_remove(struct platform_enclaves *e, int slot,
                                                   const struct gnomon_enclave_request *q);
enum gnomon_enclave_status platform_enclave_destroy(struct platform_enclaves *e, int slot,
                                                    const struct gnomon_enclave_request *q);
/* All enclaves are gone, and no vCPU runs: buffers become the guest's own again. */
void platform_enclave_forget_pages(struct platform_enclaves *e);

/* platform/enclave_walks.c: attaches the port that counts walks. */
void platform_enclave_walks_attach(struct platform_enclaves *e, struct vm *vm);

#endif
