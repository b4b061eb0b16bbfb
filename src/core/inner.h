/* What core's files share with each other and with nobody else. */
#pragma once
#include "core/host.h"
#include <pthread.h>

enum { HYPERVISOR_COUNT = 2, NAME_SIZE = 32, PATH_SIZE = 512, PREPARED_SIZE = 16 };

struct prepared;
struct host {
	struct host_config config;
	struct db *db; /* borrowed */
	int64_t node_id;
	struct pool *pool;				    /* NULL when simulated */
	struct net *net;				    /* NULL when simulated */
	const struct hypervisor_ops *ops[HYPERVISOR_COUNT]; /* by enum vps_type */
	struct hypervisor *hypervisors[HYPERVISOR_COUNT];   /* NULL when this host cannot */
	struct error hypervisor_errors[HYPERVISOR_COUNT];   /* why not */
	struct work_runner *runner;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	int64_t *busy; /* VPSs a thread has locked */
	size_t busy_count, busy_capacity;
	int64_t *stopped; /* containers that stopped by themselves: to be unmounted */
	size_t stopped_count, stopped_capacity;
	struct prepared *prepared; /* what was last told of which VPS: prepare.c */
	size_t prepared_count;
	bool closing;
	pthread_t keeper;
	bool keeper_started;
};

/* A VPS locked by this thread, with what the hypervisor needs to know of it. */
struct guest {
	struct host *host;
	struct vps vps;
	struct arena arena;
	char name[NAME_SIZE];
	const struct hypervisor_ops *ops;
	struct hypervisor *hv;
	bool locked;
};

/* Loads VEID and its hypervisor without locking: for reading. guest_done is safe after a failure too. */
int guest_load(struct host *host, int64_t veid, struct guest *guest, struct error *err);
/* Loads and locks; waits for a thread that has it. ALLOW_WORK: the caller is the VPS's own work. */
int guest_lock(struct host *host, int64_t veid, bool allow_work, struct guest *guest, struct error *err);
void guest_done(struct guest *guest);

/* Power, on a locked guest. */
int guest_start(struct guest *guest, struct error *err);
int guest_stop(struct guest *guest, struct error *err);
int guest_kill(struct guest *guest, struct error *err);
/* Unmounts a stopped container's image, so that nothing but the pool holds it. */
int guest_release_disk(struct guest *guest, struct error *err);
int guest_is_running(struct guest *guest, bool *ret, struct error *err);
/* Writes definition, network rules and seed as the store has them now; the disk must exist. */
int guest_prepare(struct guest *guest, struct error *err);
/* Whether nothing has changed since it was last prepared by this process. */
bool guest_is_prepared(struct guest *guest);
/* Takes definition, rules and mount away; the disk stays. */
int guest_forget(struct guest *guest, struct error *err);

/* keeper.c: unmounts what stopped, purges what is past its undo window. */
int keeper_start(struct host *host, struct error *err);
void keeper_stop(struct host *host);
void keeper_guest_stopped(struct host *host, const char *name);

/* register.c */
int host_register(struct host *host, struct error *err);
/* The VPSs of this node as the network wants them; in ARENA. */
int host_net_all(
	struct host *host, struct arena *arena, struct net_vps **ret, size_t *ret_count, struct error *err);

/* kinds */
extern const struct work_kind work_vps_create, work_vps_delete, work_vps_undelete, work_template_build,
	work_template_import, work_template_remove;
