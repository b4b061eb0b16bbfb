/* What libvirt tells, on the thread of its event loop. Each callback holds a reference to what it is told
 * for. Leaves connecting to connection.c. */
#include "base/log.h"
#include "hypervisor/kvm/connection_state.h"

static void count_event(struct virt_connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	connections->events++;
	pthread_cond_broadcast(&connections->changed);
	pthread_mutex_unlock(&connections->lock);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
	(void)conn;
	(void)detail;
	struct virt_connections *connections = opaque;
	if (event != VIR_DOMAIN_EVENT_STARTED && event != VIR_DOMAIN_EVENT_STOPPED)
		return 0;
	pthread_mutex_lock(&connections->telling);
	if (!connections->silent)
		connections->config.changed(connections->config.context, virDomainGetName(domain),
			event == VIR_DOMAIN_EVENT_STARTED ? GUEST_RUNNING : GUEST_STOPPED);
	pthread_mutex_unlock(&connections->telling);
	count_event(connections);
	return 0;
}

static void on_agent(virConnectPtr conn, virDomainPtr domain, int state, int reason, void *opaque)
{
	(void)conn;
	(void)state;
	(void)reason;
	struct virt_connections *connections = opaque;
	pthread_mutex_lock(&connections->telling);
	if (!connections->silent)
		connections->config.agent_changed(connections->config.context, virDomainGetName(domain));
	pthread_mutex_unlock(&connections->telling);
}

void virt_on_close(virConnectPtr conn, int reason, void *opaque)
{
	(void)reason;
	struct virt_connections *connections = opaque;
	pthread_mutex_lock(&connections->lock);
	for (size_t i = 0; i < LINK_COUNT; i++)
		if (connections->links[i].conn == conn)
			connections->links[i].broken = true;
	pthread_cond_signal(&connections->wanted);
	pthread_cond_broadcast(&connections->changed);
	pthread_mutex_unlock(&connections->lock);
}

/* What the events of a lost connection would have said: the state of every guest as it is now. Each is asked
 * for with `telling` held, so that a later event is told later. */
void virt_tell_all(struct virt_connections *connections, virConnectPtr conn)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(conn, &domains, 0);
	for (int i = 0; i < count; i++) {
		int state = 0;
		pthread_mutex_lock(&connections->telling);
		if (virDomainGetState(domains[i], &state, NULL, 0) == 0 && !connections->silent)
			connections->config.changed(
				connections->config.context, virDomainGetName(domains[i]), virt_state(state));
		pthread_mutex_unlock(&connections->telling);
		virDomainFree(domains[i]);
	}
	free(domains);
	count_event(connections);
}

void virt_ask_for_events(struct virt_connections *connections, virConnectPtr conn)
{
	static const struct {
		int id;
		virConnectDomainEventGenericCallback callback;
	} wanted[CALLBACK_COUNT] = {
		{VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
		{VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent)},
	};
	for (size_t i = 0; i < CALLBACK_COUNT; i++) {
		atomic_fetch_add(&connections->references, 1);
		connections->callbacks[i] = virConnectDomainEventRegisterAny(
			conn, NULL, wanted[i].id, wanted[i].callback, connections, virt_drop_reference);
		if (connections->callbacks[i] >= 0)
			continue;
		log_error("libvirt gives no events: %s", virGetLastErrorMessage());
		virt_drop_reference(connections);
	}
}
