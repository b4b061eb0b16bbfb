/* A guest as libvirt's domain XML: pure, so that golden files can hold it. Leaves finding out what the host
 * can do to its caller. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "model/guest.h"

/* What the host decides, not the guest's specification. */
struct domain_host {
	bool kvm;	/* hardware acceleration; else software emulation */
	bool direct_io; /* the disk's file system takes O_DIRECT */
};

/* Appends the definition to XML. ERR_INVALID when a value of SPEC is none that may stand in one. */
int kvm_domain_xml_write(
	const struct guest_spec *spec, const struct domain_host *host, struct buffer *xml, struct error *err);
