/* SPDX-License-Identifier: MIT */
#include "enclave.h"

int64_t enclave_ask(struct enclave *e, enum gnomon_enclave_call call)
{
	int64_t r;

	e->request.call = call;
	r = sys(SYS_ENCLAVE, (uint64_t)&e->request, 0, 0);
	return r < 0 ? r : e->request.status;
}

/* A page that the program has filled becomes one of the enclave's. */
static int64_t add_page(struct enclave *e, uint64_t va, unsigned rights, uint64_t from)
{
	int64_t r;

	e->request.va = va;
	e->request.rights = rights;
	e->request.gpa = from;
	r = enclave_ask(e, GNOMON_ENCLAVE_ADD);
	if (r == GNOMON_ENCLAVE_OK)
		r = enclave_ask(e, GNOMON_ENCLAVE_EXTEND);
	e->pages += r == GNOMON_ENCLAVE_OK;
	return r;
}

static int64_t add_segment(struct enclave *e, const struct gnomon_enclave_segment *s)
{
	const int64_t at = mmap(s->end - s->first, 0);
	int64_t r = at < 0 ? at : 0;

	for (uint64_t va = s->first; va < s->end && r == 0; va += GNOMON_ENCLAVE_IMAGE_PAGE) {
		uint8_t *const page = (uint8_t *)at + (va - s->first);

		if (s->size)
			gnomon_enclave_image_page(s, va, page);
		r = add_page(e, va, s->rights, (uint64_t)page);
	}
	if (r && at > 0)
		munmap((void *)at, s->end - s->first); /* what the enclave has is not there any more */
	return r;
}

int64_t enclave_open(struct enclave *e, const void *file, uint64_t size)
{
	int64_t r;

	e->pages = e->transitions = e->interrupts = 0;
	e->wrong = gnomon_enclave_image_open(file, size, &e->image);
	if (e->wrong)
		return -EINVAL;
	e->request = (struct gnomon_enclave_request){.create = e->image.create};
	r = enclave_ask(e, GNOMON_ENCLAVE_CREATE);
	if (r)
		return r;
	for (unsigned i = 0; i < e->image.nr && r == 0; i++)
		r = add_segment(e, &e->image.segment[i]);
	if (r == 0)
		r = enclave_ask(e, GNOMON_ENCLAVE_INIT);
	if (r)
		enclave_close(e);
	return r;
}

static int64_t enter(struct enclave *e, enum gnomon_enclave_call call)
{
	const int64_t r = enclave_ask(e, call);

	e->transitions += r == GNOMON_ENCLAVE_OK;
	return r;
}

/* After a call out or an interrupt. What is interrupted was in the kernel, and its interrupt has been served by now. */
static int64_t resume(struct enclave *e)
{
	const struct gnomon_enclave_left *const left = &e->request.left;

	e->request.ticket = left->ticket;
	e->request.args[0] = 0;
	if (left->reason == GNOMON_ENCLAVE_INTERRUPTED)
		e->interrupts++;
	else if (e->call_out)
		e->request.args[0] = e->call_out(e->ctx, left->value, left->args);
	return enter(e, GNOMON_ENCLAVE_RESUME);
}

int64_t enclave_call(struct enclave *e, const uint64_t args[GNOMON_ENCLAVE_ARGS], uint64_t *ret_value)
{
	const struct gnomon_enclave_left *const left = &e->request.left;
	int64_t r;

	e->request.va = e->image.create.entry;
	memcpy(e->request.args, args, sizeof(e->request.args));
	r = enter(e, GNOMON_ENCLAVE_ENTER);
	while (r == GNOMON_ENCLAVE_OK &&
	       (left->reason == GNOMON_ENCLAVE_INTERRUPTED || left->reason == GNOMON_ENCLAVE_CALLED_OUT))
		r = resume(e);
	if (r == GNOMON_ENCLAVE_OK && left->reason == GNOMON_ENCLAVE_FAULTED)
		return -EFAULT;
	if (r == GNOMON_ENCLAVE_OK)
		*ret_value = left->value;
	return r;
}

int64_t enclave_close(struct enclave *e)
{
	return enclave_ask(e, GNOMON_ENCLAVE_DESTROY);
}
