/* SPDX-License-Identifier: MIT */
#include "machine/socket.h"

#include "virtio/balloon.h"

/* QEMU tells what the guest has, not what the balloon has. */
static void balloon_changed(void *ctx, uint64_t ballooned)
{
	struct control_socket *c = ctx;

	server_balloon_changed(&c->server, c->machine.vm->mem.size - ballooned);
}

void control_paging_changed(void *ctx, const char *mode, const char *reason, const char *detail, uint64_t us)
{
	struct control_socket *c = ctx;

	if (c->open)
		server_paging_changed(&c->server, mode, reason, detail, us);
}

static void snapshot_ended(void *ctx, const struct control_snapshot *snapshot)
{
	struct control_socket *c = ctx;

	server_snapshot_ended(&c->server, snapshot);
}

int control_open(struct control_socket *c, const char *path, const struct machine_parts *parts)
{
	int r;

	c->open = false;
	if (!path)
		return 0;
	r = machine_init(&c->machine, parts);
	if (r < 0)
		return r;
	r = server_open(&c->server, path, &machine_ops, &c->machine);
	if (r < 0) {
		machine_destroy(&c->machine);
		return r;
	}
	c->open = true;
	c->machine.save.ended = snapshot_ended;
	c->machine.save.ctx = c;
	if (parts->vm->balloon)
		balloon_set_listener(parts->vm->balloon, balloon_changed, c);
	return 0;
}

int control_serve(struct control_socket *c)
{
	return c->open ? server_run(&c->server) : 0;
}

void control_close(struct control_socket *c)
{
	/* QEMU's ShutdownCause, as far as it has one. */
	static const struct {
		bool by_guest;
		const char *reason;
	} ends[] = {
	    [VM_RUNNING] = {false, "none"},        [VM_EXITED] = {true, "guest-shutdown"},
	    [VM_KILLED] = {true, "guest-panic"},   [VM_HOST_FAILED] = {false, "host-error"},
	    [VM_STOPPED] = {false, "host-signal"}, [VM_QUIT] = {false, "host-qmp-quit"},
	};
	enum vm_end how;

	if (!c->open)
		return;
	how = vm_how_ended(c->machine.vm);
	if (c->machine.vm->balloon)
		balloon_set_listener(c->machine.vm->balloon, NULL, NULL);
	save_finish(&c->machine.save, how == VM_STOPPED || how == VM_HOST_FAILED);
	server_stop(&c->server, ends[how].by_guest, ends[how].reason);
	machine_destroy(&c->machine);
	c->open = false;
}
