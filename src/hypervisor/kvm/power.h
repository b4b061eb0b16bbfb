/* hypervisor_ops.start, stop and kill. */
#pragma once
#include "hypervisor/kvm/kvm.h"

int kvm_power_start(struct hypervisor *hv, const char *name, struct error *err);
int kvm_power_stop(struct hypervisor *hv, const char *name, int timeout_ms, struct error *err);
int kvm_power_kill(struct hypervisor *hv, const char *name, struct error *err);
