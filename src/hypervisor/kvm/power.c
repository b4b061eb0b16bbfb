/* Switching guests on and off. Leaves definitions to kvm.c. */
#include "hypervisor/kvm/power.h"
#include "base/clock.h"
#include <string.h>

enum { PRESS_AGAIN_MS = 5000 };

/* Finds a guest for work; the connection is LEASE's. */
static int find(struct hypervisor *hv, const char *name, struct virt_lease *lease, virDomainPtr *ret,
	struct error *err)
{
	int rc = virt_connections_take(hv->connections, LINK_WORK, 0, lease, err);
	if (rc < 0)
		return rc;
	virDomainPtr domain = virDomainLookupByName(lease->conn, name);
	if (!domain)
		return virt_error(err, "find %s", name);
	*ret = domain;
	return 0;
}

static bool is_paused(virDomainPtr domain)
{
	int state = 0;
	return virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_PAUSED;
}

int kvm_power_start(struct hypervisor *hv, const char *name, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned(virt_domain_free) virDomainPtr domain = NULL;
	int rc = find(hv, name, &lease, &domain, err);
	if (rc < 0)
		return rc;
	if (virDomainIsActive(domain) != 1) {
		if (virDomainCreate(domain) == 0)
			return 0;
		rc = virt_error(err, "start %s", name);
		if (virDomainIsActive(domain) != 1)
			return rc;
	}
	/* A guest is paused when its disk's pool was full. */
	if (is_paused(domain) && virDomainResume(domain) < 0)
		return virt_error(err, "resume %s", name);
	return 0;
}

/* Whether libvirt says that the agent has opened its channel; asking it otherwise would cost a wait. */
static bool has_agent(virDomainPtr domain)
{
	owned_mem char *xml = virDomainGetXMLDesc(domain, 0);
	const char *at = xml ? strstr(xml, "name='org.qemu.guest_agent.0'") : NULL;
	return at && strncmp(at + strlen("name='org.qemu.guest_agent.0'"), " state='connected'", 18) == 0;
}

/* 0 when it runs no more, 1 when it does. */
static int is_running(struct hypervisor *hv, const char *name, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned(virt_domain_free) virDomainPtr domain = NULL;
	int rc = find(hv, name, &lease, &domain, err);
	if (rc < 0)
		return rc;
	int active = virDomainIsActive(domain);
	return active < 0 ? virt_error(err, "look at %s", name) : active;
}

/* Presses the power button. One that stopped meanwhile is fine. */
static int press(struct hypervisor *hv, const char *name, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned(virt_domain_free) virDomainPtr domain = NULL;
	int rc = find(hv, name, &lease, &domain, err);
	if (rc == 0 && virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0)
		rc = virt_error(err, "shut down %s", name);
	return rc == -ERR_NOT_RUNNING ? 0 : rc;
}

/* A guest that is still booting does not hear the button, so it is pressed now and then. */
static int press_until_stopped(
	struct hypervisor *hv, const char *name, int64_t deadline_ms, struct error *err)
{
	int64_t press_ms = clock_monotonic_ms() + PRESS_AGAIN_MS;
	for (;;) {
		uint64_t seen = virt_connections_count(hv->connections);
		int rc = is_running(hv, name, err);
		if (rc == 0)
			return 0;
		int64_t now_ms = clock_monotonic_ms();
		if (rc > 0 && now_ms >= press_ms) {
			rc = press(hv, name, err);
			press_ms = now_ms + PRESS_AGAIN_MS;
		}
		/* libvirtd may be away for a moment; the guest goes on shutting down. */
		if (rc < 0 && rc != -ERR_UNAVAILABLE)
			return rc;
		if (now_ms >= deadline_ms)
			return rc < 0 ? rc : err_set(err, ERR_TIMEOUT, "%s has not shut down", name);
		virt_connections_wait(hv->connections, seen, press_ms < deadline_ms ? press_ms : deadline_ms);
	}
}

/* Both ways of asking at once: the button for systems without an agent, the agent for those that ignore the
 * button. */
static int ask_to_stop(struct hypervisor *hv, const char *name, struct error *err)
{
	bool agent = false;
	{
		owned_in(virt_lease_done) struct virt_lease lease = {0};
		owned(virt_domain_free) virDomainPtr domain = NULL;
		int rc = find(hv, name, &lease, &domain, err);
		if (rc < 0)
			return rc;
		if (virDomainIsActive(domain) == 0)
			return 0;
		agent = has_agent(domain);
	}
	int rc = press(hv, name, err);
	/* It may hold the call for seconds, so the connection above is given back first. */
	if (rc == 0 && agent)
		agent_shutdown(&hv->agents, hv->connections, name);
	return rc;
}

int kvm_power_stop(struct hypervisor *hv, const char *name, int timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	int rc = ask_to_stop(hv, name, err);
	return rc < 0 ? rc : press_until_stopped(hv, name, deadline_ms, err);
}

int kvm_power_kill(struct hypervisor *hv, const char *name, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned(virt_domain_free) virDomainPtr domain = NULL;
	int rc = find(hv, name, &lease, &domain, err);
	if (rc < 0)
		return rc;
	if (virDomainDestroyFlags(domain, 0) == 0)
		return 0;
	rc = virt_error(err, "kill %s", name);
	return rc == -ERR_NOT_RUNNING ? 0 : rc;
}
