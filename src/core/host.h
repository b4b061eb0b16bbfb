/* One node's use cases: what a VPS is told to do, on this host, by joining hypervisors, disks, network and
 * guest programs. Called by the node protocol's server and by the work kinds; knows no customer and no HTTP.
 * Whatever comes from the store or a guest is checked again by the folder that uses it. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "db/db.h"
#include "disk/disk.h"
#include "guest/guest.h"
#include "hypervisor/hypervisor.h"
#include "net/net.h"
#include "work/work.h"
#include <stdbool.h>

struct host_config {
	const char *alias;
	const char *state_dir;	 /* "/var/lib/moa" */
	const char *run_dir;	 /* "/run/moa" */
	bool simulated;		 /* guests in memory only: no disks, no network, no root */
	const char *name_prefix; /* "moa" */
	const char *endpoint;	 /* where this node listens, for its own row in the store */
	struct pool_config pool;
	struct net_config net;
	const char *network; /* "10.77.0.0/16": becomes the first pool of addresses */
	const char *libvirt_uri;
	bool accelerate;
	const char *container_helper; /* moa-container */
	const char *pause_helper;     /* moa-pause: the smallest container's init */
	const char *template_script;  /* template-build */
	const char *dns;	      /* comma-separated, "" for the host's own */
	uint32_t id_base;
	int64_t undo_window_s;
	int stop_timeout_ms;
	unsigned work_threads;
};

struct host;

/* Opens pool, network and hypervisors, writes this node into an empty store, finds its guests as they are,
 * continues unfinished work, and after a reboot of the machine starts what ran before. DB is borrowed. */
int host_open(const struct host_config *config, struct db *db, struct host **ret, struct error *err);
/* Guests keep running. */
void host_close(struct host *host);
OWNED_DEFINE(struct host, host_close);
/* New work is in the store. */
void host_poke(struct host *host);

/* ---- power: one VPS at a time does one of these; ERR_LOCKED while work is under way on it ---- */

int host_start(struct host *host, int64_t veid, struct error *err);
/* Asks the system to shut down, and ends it when it has not after the configured time. */
int host_stop(struct host *host, int64_t veid, struct error *err);
int host_restart(struct host *host, int64_t veid, struct error *err);
int host_kill(struct host *host, int64_t veid, struct error *err);
int host_state(struct host *host, int64_t veid, enum guest_state *ret, struct error *err);

/* ---- inside the guest: ERR_NOT_RUNNING when it is stopped, ERR_UNAVAILABLE when nothing inside answers ----
 */

struct host_live {
	enum guest_state state;
	struct guest_usage usage;
	struct guest_live inside;      /* texts in the arena */
	struct disk_usage disk;	       /* ovz; of the file system */
	int64_t disk_bytes;	       /* what the image takes */
	const char *screenshot_base64; /* "" when there is none */
};
/* Takes at most 12 s, whatever the guest does; what cannot be had is 0 or "". */
int host_live(struct host *host, int64_t veid, bool screenshot, struct arena *arena, struct host_live *ret,
	struct error *err);

int host_exec(struct host *host, int64_t veid, const struct exec_request *request, struct exec_result *result,
	struct error *err);
int host_set_password(struct host *host, int64_t veid, const char *password, struct error *err);
/* Redefines the guest under its new name, and sets it inside when it runs. */
int host_set_hostname(struct host *host, int64_t veid, const char *hostname, struct error *err);

/* ---- the host itself ---- */

struct host_check {
	const char *name;
	bool ok, required;
	const char *says;
};
/* What this host can do and what is wrong with it, in words. Texts in ARENA. */
void host_check(struct host *host, struct arena *arena, struct host_check **ret, size_t *ret_count);
/* Writes the pool's templates into the store. */
int host_sync_templates(struct host *host, struct error *err);
