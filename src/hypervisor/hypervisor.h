/* One small interface over what runs guests: kvm.c (libvirt's QEMU driver), ovz.c (liblxc) and sim.c (memory
 * only). Every call may be made from any thread. Calls on one guest are not made at the same time by two
 * threads (core holds a lock a guest), but state, usage, exec and screenshot may run beside each other. A
 * guest is named by guest_spec.name. Errors: ERR_NOT_FOUND no such guest, ERR_UNAVAILABLE libvirtd or the
 * back end is away, ERR_NOT_RUNNING, ERR_TIMEOUT. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "model/guest.h"

struct hypervisor;

/* Told on a thread of the back end when a guest's state changed by itself or by a call. Must not call back
 * in. */
typedef void hypervisor_event(void *context, const char *name, enum guest_state state);

struct hypervisor_config {
	const char *state_dir;	 /* own folder, e.g. /var/lib/moa/node/ovz; exists */
	const char *run_dir;	 /* sockets and logs of guests, e.g. /run/moa/kvm; exists */
	const char *name_prefix; /* "moa-": guests of other names are not ours */
	const char *libvirt_uri; /* kvm: "qemu:///system" or with ?socket=; NULL for the default */
	const char *helper_path; /* ovz: the moa-container program */
	bool allow_kvm;		 /* kvm: use hardware acceleration when the probe succeeds */
	hypervisor_event *event;
	void *event_context;
};

struct hypervisor_ops {
	const char *name; /* "kvm", "ovz", "sim" */
	int (*open)(const struct hypervisor_config *config, struct hypervisor **ret, struct error *err);
	void (*close)(struct hypervisor *hv); /* guests keep running */
	/* Makes or replaces the definition; the guest's state is left alone, changes apply at its next start.
	 */
	int (*define)(struct hypervisor *hv, const struct guest_spec *spec, struct error *err);
	/* Forgets a stopped guest; a missing one is fine. */
	int (*undefine)(struct hypervisor *hv, const char *name, struct error *err);
	/* Starts it and returns when it runs (the system inside is still booting). A running one is fine. */
	int (*start)(struct hypervisor *hv, const char *name, struct error *err);
	/* Asks the system inside to shut down and waits; ERR_TIMEOUT when it has not stopped. A stopped one
	 * is fine. */
	int (*stop)(struct hypervisor *hv, const char *name, int timeout_ms, struct error *err);
	/* Ends it at once, as pulling the plug. A stopped one is fine. */
	int (*kill)(struct hypervisor *hv, const char *name, struct error *err);
	int (*state)(struct hypervisor *hv, const char *name, enum guest_state *ret, struct error *err);
	/* Calls FOUND for every guest with our prefix, defined or running. */
	int (*list)(struct hypervisor *hv,
		void (*found)(void *context, const char *name, enum guest_state state), void *context,
		struct error *err);
	int (*usage)(struct hypervisor *hv, const char *name, struct guest_usage *ret, struct error *err);
	/* Runs a program inside. The guest is hostile: time and output are bounded whatever it does.
	 * ERR_UNAVAILABLE when nothing inside answers (no agent yet). RESULT is initialised by the call and
	 * done by the caller, also on error. */
	int (*exec)(struct hypervisor *hv, const char *name, const struct exec_request *request,
		struct exec_result *result, struct error *err);
	/* A PNG of the console, at most 4 MiB, within TIMEOUT_MS; ERR_UNSUPPORTED for ovz. */
	int (*screenshot)(struct hypervisor *hv, const char *name, int timeout_ms, struct buffer *png,
		struct error *err);
	/* The host's fitness in one sentence ("KVM works", "no KVM: software emulation"), for doctor. Returns
	 * 0 when guests of this kind can run. SAYS holds SIZE bytes. */
	int (*probe)(struct hypervisor *hv, char *says, size_t size, struct error *err);
};

extern const struct hypervisor_ops hypervisor_kvm, hypervisor_ovz, hypervisor_sim;
