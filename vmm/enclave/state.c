/* SPDX-License-Identifier: MIT */
/* The lifecycle: the one table of what may happen when, and the words for it. */
#include "enclave/internal.h"

#define OK       GNOMON_ENCLAVE_OK
#define ABSENT   GNOMON_ENCLAVE_ABSENT
#define EXISTS   GNOMON_ENCLAVE_EXISTS
#define SEALED   GNOMON_ENCLAVE_SEALED
#define UNSEALED GNOMON_ENCLAVE_NOT_SEALED
#define BUSY     GNOMON_ENCLAVE_BUSY
#define NOT_LEFT GNOMON_ENCLAVE_NOT_LEFT
#define NOT_RUN  GNOMON_ENCLAVE_NOT_RUNNING

/* clang-format off */
static const uint8_t lifecycle[GNOMON_ENCLAVE_NR_CALLS][ENCLAVE_NR_STATES] = {
    /*                            none     building  ready     running  called out interrupted */
    [GNOMON_ENCLAVE_CREATE]   = { OK,      EXISTS,   EXISTS,   EXISTS,  EXISTS,    EXISTS  },
    [GNOMON_ENCLAVE_ADD]      = { ABSENT,  OK,       SEALED,   SEALED,  SEALED,    SEALED  },
    [GNOMON_ENCLAVE_EXTEND]   = { ABSENT,  OK,       SEALED,   SEALED,  SEALED,    SEALED  },
    [GNOMON_ENCLAVE_INIT]     = { ABSENT,  OK,       SEALED,   SEALED,  SEALED,    SEALED  },
    [GNOMON_ENCLAVE_ENTER]    = { ABSENT,  UNSEALED, OK,       BUSY,    BUSY,      BUSY    },
    [GNOMON_ENCLAVE_RESUME]   = { ABSENT,  UNSEALED, NOT_LEFT, BUSY,    OK,        OK      },
    [GNOMON_ENCLAVE_REMOVE]   = { ABSENT,  OK,       OK,       BUSY,    OK,        OK      },
    [GNOMON_ENCLAVE_DESTROY]  = { ABSENT,  OK,       OK,       BUSY,    OK,        OK      },
    [GNOMON_ENCLAVE_EXIT]     = { NOT_RUN, NOT_RUN,  NOT_RUN,  OK,      NOT_RUN,   NOT_RUN },
    [GNOMON_ENCLAVE_CALL_OUT] = { NOT_RUN, NOT_RUN,  NOT_RUN,  OK,      NOT_RUN,   NOT_RUN },
    [GNOMON_ENCLAVE_REPORT]   = { NOT_RUN, NOT_RUN,  NOT_RUN,  OK,      NOT_RUN,   NOT_RUN },
    [GNOMON_ENCLAVE_AEX]      = { NOT_RUN, NOT_RUN,  NOT_RUN,  OK,      NOT_RUN,   NOT_RUN },
    [GNOMON_ENCLAVE_KEY]      = { NOT_RUN, NOT_RUN,  NOT_RUN,  OK,      NOT_RUN,   NOT_RUN },
};
/* clang-format on */

static const char *const state_names[ENCLAVE_NR_STATES] = {
    [ENCLAVE_NONE] = "none",       [ENCLAVE_BUILDING] = "building",     [ENCLAVE_READY] = "ready",
    [ENCLAVE_RUNNING] = "running", [ENCLAVE_CALLED_OUT] = "called-out", [ENCLAVE_INTERRUPTED] = "interrupted",
};

static const char *const status_words[GNOMON_ENCLAVE_NR_STATUS] = {
    [GNOMON_ENCLAVE_OK] = "done",
    [GNOMON_ENCLAVE_BAD_CALL] = "there is no such call",
    [GNOMON_ENCLAVE_BAD_ID] = "no enclave can have this identifier",
    [GNOMON_ENCLAVE_ABSENT] = "there is no enclave with this identifier",
    [GNOMON_ENCLAVE_EXISTS] = "there is an enclave with this identifier already",
    [GNOMON_ENCLAVE_SEALED] = "the enclave is sealed and can no longer be built",
    [GNOMON_ENCLAVE_NOT_SEALED] = "the enclave is not sealed yet and cannot run",
    [GNOMON_ENCLAVE_BUSY] = "the enclave runs, or waits for its RESUME",
    [GNOMON_ENCLAVE_NOT_LEFT] = "the enclave waits for no RESUME",
    [GNOMON_ENCLAVE_NOT_RUNNING] = "only a running enclave can do this",
    [GNOMON_ENCLAVE_BAD_RANGE] = "an enclave cannot lie there",
    [GNOMON_ENCLAVE_BAD_ENTRY] = "the enclave cannot be entered there",
    [GNOMON_ENCLAVE_BAD_STACK] = "the enclave's stack cannot begin there",
    [GNOMON_ENCLAVE_BAD_BUFFER] = "the marshalling buffer cannot lie there",
    [GNOMON_ENCLAVE_BAD_FLAGS] = "a flag has no meaning",
    [GNOMON_ENCLAVE_BAD_ADDRESS] = "no page of the enclave can be there",
    [GNOMON_ENCLAVE_BAD_RIGHTS] = "a page cannot have these rights",
    [GNOMON_ENCLAVE_PAGE_EXISTS] = "the enclave has a page there already",
    [GNOMON_ENCLAVE_NO_PAGE] = "the enclave has no page there",
    [GNOMON_ENCLAVE_MEASURED] = "the page is measured already",
    [GNOMON_ENCLAVE_BAD_MEASUREMENT] = "the measurement is not the expected one",
    [GNOMON_ENCLAVE_BAD_TICKET] = "the ticket is not that of the enclave's last exit",
    [GNOMON_ENCLAVE_NO_MEMORY] = "the secure memory is full, or the host has none",
    [GNOMON_ENCLAVE_BAD_PAGE] = "the guest cannot give this memory",
    [GNOMON_ENCLAVE_OFF] = "the VM has no secure memory",
    [GNOMON_ENCLAVE_BAD_COUNT] = "these are too many pages for one call",
};

enum gnomon_enclave_status enclave_allows(enum enclave_state state, enum gnomon_enclave_call call)
{
	return lifecycle[call][state];
}

const char *enclave_state_name(enum enclave_state state)
{
	return state_names[state];
}

const char *enclave_status_words(enum gnomon_enclave_status status)
{
	return status < GNOMON_ENCLAVE_NR_STATUS ? status_words[status] : "unknown";
}

enum gnomon_enclave_status enclave_find(const struct enclaves *all, unsigned id, enum gnomon_enclave_call call,
                                        struct enclave **ret_enclave)
{
	struct enclave *e;
	enum gnomon_enclave_status s;

	if (!id || id > GNOMON_ENCLAVE_MAX)
		return GNOMON_ENCLAVE_BAD_ID;
	e = all->enclave[id];
	s = enclave_allows(e ? e->state : ENCLAVE_NONE, call);
	if (s == GNOMON_ENCLAVE_OK)
		*ret_enclave = e;
	return s;
}
