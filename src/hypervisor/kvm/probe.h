/* Whether hardware acceleration works, found out by running a virtual CPU for a moment: /dev/kvm exists, and
 * even makes machines, on hosts where no guest ever runs. Leaves libvirt out of it. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct acceleration {
	bool works;
	char says[256]; /* why, for an operator */
};

/* The emulator's path, or NULL when QEMU is not installed; static. */
const char *kvm_probe_emulator(void);
/* Takes at most a few seconds. Runs QEMU as the user libvirt runs guests as where there is one. */
void kvm_probe_acceleration(struct acceleration *ret);
/* The same with an accelerator of QEMU's ("kvm", "tcg"), whatever /dev holds. */
void kvm_probe_run(const char *accelerator, struct acceleration *ret);
