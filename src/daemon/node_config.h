/* From moad.conf to what core/ wants. */
#pragma once
#include "core/host.h"
#include "daemon/app.h"

enum { OPEN_PORTS_MAX = 4 };

/* PORTS is where RET's list of open ports lives. */
int node_config_fill(
	struct app *app, struct host_config *ret, uint16_t ports[OPEN_PORTS_MAX], struct error *err);
