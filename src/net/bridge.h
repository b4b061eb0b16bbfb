/* The bridge link and what the kernel is told about it. Rules are not its business. */
#pragma once
#include "net/net.h"

/* Makes the bridge, or brings one of that name into shape: settings, address, up. ERR_EXISTS when the name
 * belongs to a link that is no bridge. */
int bridge_ensure(const struct net_config *config, struct error *err);
/* Lets the host pass IPv4 packets on. */
int bridge_forwarding_ensure(struct error *err);
/* A missing one is fine. */
int bridge_remove(const char *name, struct error *err);
/* The bridge's own MAC: fixed, so that it does not change with the ports, and locally administered. */
void bridge_mac_of(const struct net_config *config, char place[18]);
