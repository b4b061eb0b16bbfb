/* The block that getServiceInfo and getLiveServiceInfo share. */
#pragma once
#include "api/call.h"

void service_info_fill(struct call *call, struct service_info_record *info);
