/* One VPS as the rules know it: checked, in canonical text, and owned, so that what was set can be taken away
 * again after the caller's strings are gone. Nothing that did not pass here reaches the text of a rule. */
#pragma once
#include "net/net.h"

enum { NET_NAME_MAX = 15, MEMBER_ADDRESS_MAX = 256, ADDRESS_TEXT_MAX = 46 };

struct member_address {
	bool ipv6;
	bool subnet;		 /* ipv6: a whole /64 */
	unsigned char bytes[16]; /* network order; the first 4 for IPv4 */
	char text[ADDRESS_TEXT_MAX];
};

struct member {
	int64_t veid;
	char interface[NET_NAME_MAX + 1];
	char mac[18];
	int ssh_port;			  /* 0 for none */
	const char *ssh_address;	  /* one of addresses, or NULL */
	struct member_address *addresses; /* the first is the link-local one that belongs to the MAC */
	size_t address_count;
};

/* ERR_INVALID for anything that is not what it should be. */
int member_make(
	const struct net_config *config, const struct net_vps *vps, struct member **ret, struct error *err);
void member_free(struct member *member);
OWNED_DEFINE(struct member, member_free);
/* ERR_EXISTS when the two would share an interface, a MAC, an address or a port. */
int member_check_apart(const struct member *a, const struct member *b, struct error *err);

/* Whether TEXT can be a link's name here: letters, digits, "-_." after a letter, at most 15 bytes. */
bool net_name_is_link(const char *text);
/* Checks all of CONFIG. */
int net_config_check(const struct net_config *config, struct error *err);
