/* The addresses of VPSs, inside the transaction of whoever makes or purges one. */
#pragma once
#include "db/connection.h"

/* Gives VEID the lowest free IPv4 address of the node's pools; ERR_CAPACITY when there is none. */
int address_assign(struct connection *connection, int64_t veid, int64_t node_id, struct error *err);
/* Takes all addresses from VEID and makes them free again. */
int addresses_release(struct connection *connection, int64_t veid, struct error *err);
