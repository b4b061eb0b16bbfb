/* The node's network: a bridge, NAT, forwarded SSH ports, and the rules that let a guest send only from its
 * own MAC and addresses. Everything lives in one bridge, links named after the VPS, and nftables tables of
 * our own name, changed in one atomic transaction a change through libnftables. Nothing outside them is
 * touched. */
#pragma once
#include "base/error.h"
#include "base/owned.h"
#include "model/vps.h"
#include <stdint.h>

struct net;

struct net_config {
	const char *bridge;	    /* "moabr0", at most 15 bytes */
	const char *table;	    /* nftables table name, "moa" (families inet and bridge) */
	const char *gateway;	    /* IPv4 of the bridge, "10.77.0.1" */
	int prefix_len;		    /* 16 */
	bool nat;		    /* masquerade what leaves, forward SSH ports */
	const uint16_t *open_ports; /* TCP ports of the host guests may reach (the public API); ends with 0 */
};

/* One guest on the bridge. */
struct net_vps {
	int64_t veid;
	const char *interface; /* its host end */
	const char *mac;
	const struct address *addresses;
	size_t address_count;
	int ssh_port; /* forwarded to port 22 of the first IPv4; 0 for none */
};

/* Makes bridge, forwarding and the static rules; what is right already is left alone, so running guests
 * notice nothing. ALL are the VPSs that belong to this node: their elements are replaced in one transaction.
 */
int net_open(const struct net_config *config, const struct net_vps *all, size_t count, struct net **ret,
	struct error *err);
void net_close(struct net *net); /* rules and bridge stay */
OWNED_DEFINE(struct net, net_close);
/* Adds or replaces the rules of one VPS, atomically; before its interface exists. */
int net_vps_set(struct net *net, const struct net_vps *vps, struct error *err);
/* Takes them away; missing is fine. */
int net_vps_remove(struct net *net, int64_t veid, struct error *err);
/* Bytes in and out of the guest's interface since it came up; ERR_NOT_FOUND without interface. */
int net_vps_bytes(
	struct net *net, const char *interface, int64_t *ret_in, int64_t *ret_out, struct error *err);
/* Removes tables and bridge: for --remove and tests. */
int net_remove(const struct net_config *config, struct error *err);
/* The whole rule set as nft text (for golden tests), the caller's to free; NULL when a value is not allowed.
 */
char *net_rules_text(const struct net_config *config, const struct net_vps *all, size_t count);
/* Name of a VPS's host interface into PLACE (16 bytes): PREFIX then the veid. */
bool net_interface_name(const char *prefix, int64_t veid, char place[16]);
/* The address the host uses towards the default route, as text; "127.0.0.1" when it has none. PLACE holds 46
 * bytes. */
void net_host_address(char place[46]);
