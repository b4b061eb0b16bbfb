/* libvirt's errors and states in our words. The only place that knows which of its codes mean what. */
#include "hypervisor/kvm/virt.h"
#include <stdarg.h>
#include <stdio.h>

static enum err_code code_of(const virError *error)
{
	switch (error ? error->code : VIR_ERR_INTERNAL_ERROR) {
	case VIR_ERR_NO_DOMAIN:
		return ERR_NOT_FOUND;
	case VIR_ERR_NO_CONNECT:
	case VIR_ERR_INVALID_CONN:
	case VIR_ERR_RPC:
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_AUTH_UNAVAILABLE:
	case VIR_ERR_AGENT_UNRESPONSIVE:
	case VIR_ERR_AGENT_UNSYNCED:
		return ERR_UNAVAILABLE;
	case VIR_ERR_OPERATION_INVALID:
		return ERR_NOT_RUNNING;
	case VIR_ERR_OPERATION_TIMEOUT:
		return ERR_TIMEOUT;
	case VIR_ERR_NO_MEMORY:
		return ERR_CAPACITY;
	case VIR_ERR_NO_SUPPORT:
	case VIR_ERR_OPERATION_UNSUPPORTED:
	case VIR_ERR_CONFIG_UNSUPPORTED:
		return ERR_UNSUPPORTED;
	default:
		/* A call that was under way when libvirtd went fails with an internal error of the RPC layer.
		 */
		return error && (error->domain == VIR_FROM_RPC || error->domain == VIR_FROM_REMOTE)
			       ? ERR_UNAVAILABLE
			       : ERR_IO;
	}
}

int virt_error(struct error *err, const char *format, ...)
{
	char what[128];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	const virError *error = virGetLastError();
	return err_set(
		err, code_of(error), "%s: %s", what, error && error->message ? error->message : "unknown");
}

bool virt_failed_with(int code)
{
	return virGetLastErrorCode() == code;
}

enum guest_state virt_state(int domain_state)
{
	switch ((virDomainState)domain_state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_SHUTDOWN:
	case VIR_DOMAIN_PMSUSPENDED:
		return GUEST_RUNNING;
	case VIR_DOMAIN_NOSTATE:
	case VIR_DOMAIN_SHUTOFF:
	case VIR_DOMAIN_CRASHED:
		break;
	}
	return GUEST_STOPPED;
}
