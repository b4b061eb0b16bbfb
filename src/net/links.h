/* Links and addresses of the host, over netlink. One socket a call, in the caller's network namespace. */
#pragma once
#include "base/error.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct link {
	int index;
	bool is_bridge;
	uint64_t received_bytes, sent_bytes;
};

/* ERR_NOT_FOUND when there is none of that name. */
int link_find(const char *name, struct link *ret, struct error *err);
/* Makes a bridge, or sets an existing one to: no STP, no forward delay, no multicast snooping, this MAC. */
int link_bridge_set(const char *name, const unsigned char mac[6], struct error *err);
int link_up(int index, struct error *err);
int link_delete(int index, struct error *err);
/* Leaves exactly this IPv4 address on the link. */
int link_address_set(int index, struct in_addr address, int prefix_len, struct error *err);
