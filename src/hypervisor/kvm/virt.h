/* What every file here needs of libvirt: handles that free themselves and its errors as ours. Leaves
 * connecting to connection.c. */
#pragma once
#include "base/error.h"
#include "base/owned.h"
#include "model/guest.h"
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

static inline void virt_domain_free(virDomainPtr domain)
{
	virDomainFree(domain);
}
OWNED_DEFINE(virDomain, virt_domain_free);

static inline void virt_stream_free(virStreamPtr stream)
{
	virStreamFree(stream);
}
OWNED_DEFINE(virStream, virt_stream_free);

/* The last libvirt error of this thread as an error whose message starts with the formatted words. Returns
 * -code. */
int virt_error(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether the last libvirt error of this thread has this code (VIR_ERR_...). */
bool virt_failed_with(int code);
/* Every virDomainState is one of ours; a paused guest holds its memory, so it counts as running. */
enum guest_state virt_state(int domain_state);
