/* moa-kvm-probe: says whether hardware acceleration works and exits with 0 when it does. For
 * dist/start-libvirtd, which must know before libvirtd starts. */
#include "hypervisor/kvm/probe.h"
#include <stdio.h>

int main(void)
{
	struct acceleration acceleration;
	kvm_probe_acceleration(&acceleration);
	printf("%s: %s\n", acceleration.works ? "KVM works" : "no KVM", acceleration.says);
	return acceleration.works ? 0 : 1;
}
