/* What a hypervisor is asked to run, and what it tells: plain structs shared by hypervisor/, guest/ and
 * core/, which do not include each other. Strings are borrowed. */
#pragma once
#include "base/buffer.h"
#include "model/vps.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything needed to run one guest; complete, so that defining it again gives the same guest. */
struct guest_spec {
	const char *name; /* "moa-1000001": the libvirt domain, the LXC container; unique on the host */
	int64_t veid;
	enum vps_type type;
	const char *uuid; /* derived from the veid and the instance, stable */
	const char *hostname;
	int64_t ram_bytes, swap_bytes;
	int64_t cpu_percent;	 /* 100 is one core */
	int64_t process_max;	 /* ovz; 0 for no limit */
	const char *disk_path;	 /* kvm: the raw image; absolute */
	const char *seed_path;	 /* kvm: the cloud-init ISO; NULL for none */
	const char *rootfs_path; /* ovz: where the raw image is mounted */
	const char *iso_path;	 /* kvm: CD to boot from; NULL for none */
	uint32_t id_base;	 /* ovz: first host id of its own 65536-id range */
	const char *bridge;
	const char *interface; /* host end: tap or veth name, at most 15 bytes */
	const char *mac;
	const struct address *addresses;
	size_t address_count;
};

enum guest_state { GUEST_STOPPED, GUEST_STARTING, GUEST_RUNNING };
const char *guest_state_name(enum guest_state state); /* "stopped", "starting", "running" */

/* Seen from outside the guest; a guest cannot falsify these. */
struct guest_usage {
	int64_t cpu_time_ns;	     /* since its start */
	int64_t memory_bytes;	     /* used, as the host sees it */
	int64_t swap_bytes;	     /* ovz */
	int64_t process_count;	     /* ovz; 0 otherwise */
	int64_t kernel_memory_bytes; /* ovz */
	int64_t disk_read_bytes, disk_write_bytes;
	int64_t failcnt; /* ovz: times the memory limit was hit */
};

/* A program to run inside a guest as root. No shell is added: say {"/bin/sh","-c",...} where one is meant. */
struct exec_request {
	const char *const *argv; /* ends with NULL */
	const void *input;	 /* standard input; NULL for none */
	size_t input_len;
	int timeout_ms;	   /* then it is killed */
	size_t max_output; /* bytes kept of stdout and stderr, in the order they came where possible */
	bool detached;	   /* only start it: no output, no exit status */
};

struct exec_result {
	int exit_status; /* 128 + signal when killed by one */
	bool timed_out, truncated;
	struct buffer output;
};

void exec_result_done(struct exec_result *result);
