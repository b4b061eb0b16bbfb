/* hypervisor_ops over libvirt's QEMU driver: opening, definitions and questions. The rest is put together
 * from this folder's other files. The only symbol the program needs of it is hypervisor_kvm. */
#include "hypervisor/kvm/kvm.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include "hypervisor/kvm/domain_xml.h"
#include "hypervisor/kvm/power.h"
#include "hypervisor/kvm/screenshot.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { XML_MAX_LEN = 64 << 10 };

static void on_changed(void *context, const char *name, enum guest_state state)
{
	struct hypervisor *hv = context;
	if (hv->event && text_starts(name, hv->name_prefix))
		hv->event(hv->event_context, name, state);
}

static void on_agent_changed(void *context, const char *name)
{
	struct hypervisor *hv = context;
	agents_forget(&hv->agents, name);
}

static int kvm_open(const struct hypervisor_config *config, struct hypervisor **ret, struct error *err)
{
	(void)err;
	struct hypervisor *hv = mem_new(struct hypervisor);
	hv->name_prefix = mem_strdup(config->name_prefix ? config->name_prefix : "");
	hv->event = config->event;
	hv->event_context = config->event_context;
	hv->allow_kvm = config->allow_kvm;
	agents_init(&hv->agents);
	pthread_mutex_init(&hv->probe_lock, NULL);
	hv->connections = virt_connections_new(&(struct virt_connections_config){.uri = config->libvirt_uri,
		.changed = on_changed,
		.agent_changed = on_agent_changed,
		.context = hv});
	*ret = hv;
	return 0;
}

static void kvm_close(struct hypervisor *hv)
{
	virt_connections_free(hv->connections);
	pthread_mutex_destroy(&hv->probe_lock);
	agents_done(&hv->agents);
	free(hv->name_prefix);
	free(hv);
}

/* ---- acceleration ---- */

/* libvirtd judges for itself, and may have been started where /dev/kvm is not seen. */
static void ask_libvirt(virConnectPtr conn, struct acceleration *acceleration)
{
	owned_mem char *xml = virConnectGetDomainCapabilities(conn, NULL, "x86_64", NULL, "kvm", 0);
	if (xml)
		return;
	acceleration->works = false;
	text_format(acceleration->says, sizeof(acceleration->says), "libvirtd does not offer it: %.200s",
		virGetLastErrorMessage());
}

/* Whether guests get hardware acceleration: found out once, with libvirtd there. */
static struct acceleration find_acceleration(struct hypervisor *hv, virConnectPtr conn)
{
	pthread_mutex_lock(&hv->probe_lock);
	if (!hv->probed && !hv->allow_kvm)
		text_copy(hv->acceleration.says, sizeof(hv->acceleration.says), "it is switched off");
	else if (!hv->probed) {
		kvm_probe_acceleration(&hv->acceleration);
		if (hv->acceleration.works)
			ask_libvirt(conn, &hv->acceleration);
	}
	hv->probed = true;
	struct acceleration found = hv->acceleration;
	pthread_mutex_unlock(&hv->probe_lock);
	return found;
}

static int kvm_probe(struct hypervisor *hv, char *says, size_t size, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	if (!kvm_probe_emulator()) {
		text_copy(says, size, "QEMU is not installed (qemu-system-x86)");
		return err_say(err, ERR_UNSUPPORTED, "QEMU is not installed (qemu-system-x86)");
	}
	struct error why = {0};
	if (virt_connections_take(hv->connections, LINK_QUICK, 0, &lease, &why) < 0) {
		char words[400];
		text_format(words, sizeof(words), "libvirtd cannot be reached: %.300s", why.message);
		snprintf(says, size, "%s", words);
		return err_say(err, ERR_UNAVAILABLE, "%s", words);
	}
	struct acceleration found = find_acceleration(hv, lease.conn);
	if (found.works)
		snprintf(says, size, "KVM works");
	else
		snprintf(says, size, "no KVM (%s): guests run in software emulation, slowly", found.says);
	return 0;
}

/* ---- definitions ---- */

/* Whether the disk can be read past the host's page cache, as the asynchronous way needs. A disk that is not
 * there yet can: every file system a pool lies on does. */
static bool takes_direct_io(const char *path)
{
	owned_fd int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 || errno != EINVAL;
}

/* A definition of another UUID must go before the new one can come; only a stopped guest's can. */
static int make_way(virConnectPtr conn, const struct guest_spec *spec, struct error *err)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	owned(virt_domain_free) virDomainPtr old = virDomainLookupByName(conn, spec->name);
	if (!old || virDomainGetUUIDString(old, uuid) < 0 || strcasecmp(uuid, spec->uuid) == 0)
		return 0;
	if (virDomainIsActive(old) == 1)
		return err_set(err, ERR_RUNNING, "%s runs under another UUID", spec->name);
	if (virDomainUndefineFlags(old, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_NVRAM) < 0)
		return virt_error(err, "forget the earlier %s", spec->name);
	return 0;
}

static int kvm_define(struct hypervisor *hv, const struct guest_spec *spec, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned_in(buffer_done) struct buffer xml = BUFFER_INIT(XML_MAX_LEN);
	int rc = virt_connections_take(hv->connections, LINK_WORK, 0, &lease, err);
	if (rc < 0)
		return rc;
	struct domain_host host = {.kvm = find_acceleration(hv, lease.conn).works,
		.direct_io = spec->disk_path && takes_direct_io(spec->disk_path)};
	rc = kvm_domain_xml_write(spec, &host, &xml, err);
	if (rc == 0)
		rc = make_way(lease.conn, spec, err);
	if (rc < 0)
		return rc;
	/* Checking it against the schema would take libvirtd seconds. */
	owned(virt_domain_free) virDomainPtr domain = virDomainDefineXML(lease.conn, xml.data);
	return domain ? 0 : virt_error(err, "define %s", spec->name);
}

static int kvm_undefine(struct hypervisor *hv, const char *name, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	int rc = virt_connections_take(hv->connections, LINK_WORK, 0, &lease, err);
	if (rc < 0)
		return rc;
	owned(virt_domain_free) virDomainPtr domain = virDomainLookupByName(lease.conn, name);
	if (!domain)
		return virt_failed_with(VIR_ERR_NO_DOMAIN) ? 0 : virt_error(err, "find %s", name);
	if (virDomainIsActive(domain) == 1)
		return err_set(err, ERR_RUNNING, "%s runs", name);
	rc = virDomainUndefineFlags(
		domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
				VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM);
	if (rc < 0 && !virt_failed_with(VIR_ERR_NO_DOMAIN))
		return virt_error(err, "undefine %s", name);
	return 0;
}

/* ---- questions ---- */

static int kvm_state(struct hypervisor *hv, const char *name, enum guest_state *ret, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	int state = 0, rc = virt_connections_take(hv->connections, LINK_QUICK, 0, &lease, err);
	if (rc < 0)
		return rc;
	owned(virt_domain_free) virDomainPtr domain = virDomainLookupByName(lease.conn, name);
	if (!domain)
		return virt_error(err, "find %s", name);
	if (virDomainGetState(domain, &state, NULL, 0) < 0)
		return virt_error(err, "look at %s", name);
	*ret = virt_state(state);
	return 0;
}

static void stats_free(virDomainStatsRecordPtr *records)
{
	virDomainStatsRecordListFree(records);
}
OWNED_DEFINE(virDomainStatsRecordPtr, stats_free);

static int kvm_list(struct hypervisor *hv,
	void (*found)(void *context, const char *name, enum guest_state state), void *context,
	struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned(stats_free) virDomainStatsRecordPtr *records = NULL;
	int rc = virt_connections_take(hv->connections, LINK_QUICK, 0, &lease, err);
	if (rc < 0)
		return rc;
	int count = virConnectGetAllDomainStats(
		lease.conn, VIR_DOMAIN_STATS_STATE, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	if (count < 0)
		return virt_error(err, "list guests");
	for (int i = 0; i < count; i++) {
		const char *name = virDomainGetName(records[i]->dom);
		int state = VIR_DOMAIN_NOSTATE;
		virTypedParamsGetInt(records[i]->params, records[i]->nparams, "state.state", &state);
		if (text_starts(name, hv->name_prefix))
			found(context, name, virt_state(state));
	}
	return 0;
}

static int64_t figure(const virDomainStatsRecordPtr record, const char *name)
{
	unsigned long long value = 0;
	virTypedParamsGetULLong(record->params, record->nparams, name, &value);
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int64_t sum_of_disks(const virDomainStatsRecordPtr record, const char *what)
{
	unsigned count = 0;
	int64_t sum = 0;
	virTypedParamsGetUInt(record->params, record->nparams, "block.count", &count);
	for (unsigned i = 0; i < count && i < 8; i++) {
		char name[64];
		text_format(name, sizeof(name), "block.%u.%s.bytes", i, what);
		sum += figure(record, name);
	}
	return sum;
}

static int kvm_usage(struct hypervisor *hv, const char *name, struct guest_usage *ret, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	owned(stats_free) virDomainStatsRecordPtr *records = NULL;
	int rc = virt_connections_take(hv->connections, LINK_QUICK, 0, &lease, err);
	if (rc < 0)
		return rc;
	owned(virt_domain_free) virDomainPtr domain = virDomainLookupByName(lease.conn, name);
	if (!domain)
		return virt_error(err, "find %s", name);
	virDomainPtr one[] = {domain, NULL};
	unsigned wanted = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |
			  VIR_DOMAIN_STATS_BLOCK;
	int count = virDomainListGetStats(one, wanted, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	if (count < 1)
		return virt_error(err, "measure %s", name);
	int state = VIR_DOMAIN_NOSTATE;
	virTypedParamsGetInt(records[0]->params, records[0]->nparams, "state.state", &state);
	if (virt_state(state) == GUEST_STOPPED)
		return err_set(err, ERR_NOT_RUNNING, "%s does not run", name);
	*ret = (struct guest_usage){.cpu_time_ns = figure(records[0], "cpu.time"),
		.memory_bytes = figure(records[0], "balloon.rss") * 1024,
		.disk_read_bytes = sum_of_disks(records[0], "rd"),
		.disk_write_bytes = sum_of_disks(records[0], "wr")};
	return 0;
}

static int kvm_exec(struct hypervisor *hv, const char *name, const struct exec_request *request,
	struct exec_result *result, struct error *err)
{
	return agent_exec(&hv->agents, hv->connections, name, request, result, err);
}

static int kvm_screenshot(
	struct hypervisor *hv, const char *name, int timeout_ms, struct buffer *png, struct error *err)
{
	return kvm_screenshot_take(hv->connections, name, timeout_ms, png, err);
}

__attribute__((visibility("default"))) const struct hypervisor_ops hypervisor_kvm = {
	.name = "kvm",
	.open = kvm_open,
	.close = kvm_close,
	.define = kvm_define,
	.undefine = kvm_undefine,
	.start = kvm_power_start,
	.stop = kvm_power_stop,
	.kill = kvm_power_kill,
	.state = kvm_state,
	.list = kvm_list,
	.usage = kvm_usage,
	.exec = kvm_exec,
	.screenshot = kvm_screenshot,
	.probe = kvm_probe,
};
