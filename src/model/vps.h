/* What Moa manages, as plain structs: a VPS and what it belongs to. Strings are borrowed: whoever fills a
 * struct says which arena they live in. Sizes are bytes, times unix seconds. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vps_type { VPS_KVM, VPS_OVZ };
/* A VPS's life. What it does at this moment (runs, stopped) is the hypervisor's to say. */
enum vps_state {
	VPS_CREATING, /* its first work has not ended */
	VPS_ACTIVE,
	VPS_FAILED,  /* creating it failed and was undone; only delete is possible */
	VPS_DELETED, /* gone for the customer; the disk is kept until purge_at_s */
};

struct account {
	int64_t id;
	const char *email;
	const char *ssh_keys; /* newline-separated, "" for none */
	int64_t created_s;
};

struct location {
	const char *id;		/* "USCA_1" */
	const char *name;	/* "US, California" */
	const char *datacenter; /* "US: Los Angeles, California (DC1)" */
	bool ipv6_ready;
	bool private_network;
};

struct node {
	int64_t id;
	const char *alias; /* "v6617" */
	const char *location_id;
	const char *ip;		       /* the address customers reach forwarded ports on */
	const char *endpoint;	       /* "unix:/run/moa/node.sock" */
	int64_t port_first, port_last; /* forwarded SSH ports, at most 32767 */
};

struct plan {
	int64_t id;
	const char *name;
	int64_t disk_bytes, ram_bytes, swap_bytes;
	int64_t cpu_percent;	    /* 100 is one core */
	int64_t process_max;	    /* ovz */
	int64_t monthly_data_bytes; /* before the multiplier */
	int64_t data_multiplier;
	int64_t ipv6_max;
	bool private_network;
	int64_t abuse_points_max;
};

struct address {
	const char *address; /* canonical text; a /64 as its bare prefix */
	int prefix_len;	     /* of the network it is in: 24 */
	const char *gateway; /* "" when the pool has none */
	const char *ptr;     /* NULL when none is set */
};

struct vps {
	int64_t veid;
	enum vps_type type;
	enum vps_state state;
	const char *hostname;
	const char *os;	     /* the template's name */
	const char *mac;     /* "02:00:00:00:00:01" */
	int64_t ssh_port;    /* forwarded by the node; 22 where nothing is forwarded */
	bool wanted_running; /* started again when the host comes up */
	bool suspended;
	int64_t suspension_count, abuse_points;
	int64_t data_counter_bytes;
	int64_t data_next_reset_s;
	int64_t created_s;
	int64_t purge_at_s;	   /* when a deleted VPS's disk goes; 0 otherwise */
	const char *ssh_keys;	   /* of the VPS; they replace the account's completely when not "" */
	const char *password_hash; /* crypt(3) form for the first boot, "" once used */
	struct account account;
	struct location location;
	struct node node;
	struct plan plan;
	const struct address *addresses; /* IPv4 first */
	size_t address_count;
};

const char *vps_type_name(enum vps_type type); /* "kvm" or "ovz" */
bool vps_type_from_name(const char *name, enum vps_type *ret);
const char *vps_state_name(enum vps_state state);
bool vps_state_from_name(const char *name, enum vps_state *ret);
/* The keys a fresh system gets: the VPS's own when it has any, else the account's. */
const char *vps_preferred_ssh_keys(const struct vps *vps);

enum { VEID_FIRST = 1000001, VEID_MAX = 9999999 };
