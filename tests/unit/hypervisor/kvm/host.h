/* A host for tests of real guests: a libvirtd of its own, a bridge, and tiny guests that are one boot sector
 * each. */
#pragma once
#include "hypervisor/hypervisor.h"
#include <stdbool.h>

extern const struct hypervisor_ops *const ops;

enum tiny_kind {
	TINY_OBEYS, /* powers off when its power button is pressed */
	TINY_DEAF,  /* runs until it is killed */
	TINY_BRIEF, /* powers off at once */
};

struct host {
	char dir[64]; /* everything is below it */
	char bridge[16];
	char prefix[24]; /* of guest names; no two test runs share one */
	char uri[160];
	bool has_bridge, has_libvirtd;
};

/* NULL when it runs, else what this machine lacks. host_down is due either way. */
const char *host_up(struct host *host);
void host_down(struct host *host);
/* "halt" or "resume" of the daemon; its guests keep running. */
void host_daemon(const struct host *host, const char *command);
/* Kills the emulator of a guest behind libvirt's back. */
void host_kill_emulator(const struct host *host, const char *name);

/* A guest's name, disk and specification; the texts live in it. */
struct tiny {
	char name[40], disk[160], interface[16], mac[18], uuid[37];
	struct guest_spec spec;
};
void tiny_make(const struct host *host, struct tiny *tiny, unsigned number, enum tiny_kind kind);

/* Remembers what hypervisor_ops told. */
void news_event(void *context, const char *name, enum guest_state state);
void news_clear(void);
/* Waits until STATE was told of NAME; fails the test when it never is. */
void news_await(const char *name, enum guest_state state);
