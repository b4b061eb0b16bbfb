#include "hypervisor/ovz/config.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/name.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#define PATH_CHARS TEXT_ALNUM "/._-"
#define NAME_CHARS TEXT_ALNUM "._-"

enum {
	ID_COUNT = 65536,
	ID_BASE_MIN = 65536,
	CPU_PERIOD_US = 100000,
	CPU_QUOTA_MIN_US = 1000,
	HOST_NAME_LEN = 64,
	LINK_NAME_LEN = 15,
	NAME_LEN = 63,
	ADDRESSES_MAX = 64
};

bool config_path_is_plain(const char *path)
{
	return path && path[0] == '/' && strlen(path) < CGROUP_PATH_MAX && text_only(path, PATH_CHARS) &&
	       !strstr(path, "/..") && !strstr(path, "//");
}

static bool is_plain_name(const char *text, size_t max_len)
{
	return text && text[0] && text[0] != '.' && text[0] != '-' && strlen(text) <= max_len &&
	       text_only(text, NAME_CHARS);
}

static int refuse(struct error *err, const char *what)
{
	return err_set(err, ERR_INVALID, "container configuration: bad %s", what);
}

static int check_numbers(const struct guest_spec *spec, struct error *err)
{
	if (spec->id_base < ID_BASE_MIN || spec->id_base > UINT32_MAX - ID_COUNT)
		return refuse(err, "id base");
	if (spec->ram_bytes < (1 << 20) || spec->ram_bytes > INT64_MAX / 4)
		return refuse(err, "memory size");
	if (spec->swap_bytes < 0 || spec->swap_bytes > INT64_MAX / 4)
		return refuse(err, "swap size");
	if (spec->cpu_percent < 0 || spec->cpu_percent > 100000)
		return refuse(err, "CPU share");
	if (spec->process_max < 0 || spec->process_max > INT32_MAX)
		return refuse(err, "number of processes");
	return 0;
}

static bool has_only_prefix_lens(const struct guest_spec *spec)
{
	for (size_t i = 0; i < spec->address_count; i++)
		if (name_is_ipv4(spec->addresses[i].address) &&
			(spec->addresses[i].prefix_len < 1 || spec->addresses[i].prefix_len > 32))
			return false;
	return true;
}

static int check_spec(const struct guest_spec *spec, struct error *err)
{
	if (!is_plain_name(spec->name, NAME_LEN))
		return refuse(err, "name");
	if (!spec->hostname || !name_is_hostname(spec->hostname))
		return refuse(err, "host name");
	if (!config_path_is_plain(spec->rootfs_path))
		return refuse(err, "root path");
	if (!is_plain_name(spec->bridge, LINK_NAME_LEN))
		return refuse(err, "bridge");
	if (!is_plain_name(spec->interface, LINK_NAME_LEN))
		return refuse(err, "interface");
	if (!spec->mac || !name_is_mac(spec->mac))
		return refuse(err, "MAC address");
	if (spec->address_count > ADDRESSES_MAX || !has_only_prefix_lens(spec))
		return refuse(err, "addresses");
	return check_numbers(spec, err);
}

/* The kernel keeps 64 bytes of a host name; of a longer one its first label stands. */
static void add_identity(const struct guest_spec *spec, struct buffer *text)
{
	int len = (int)strlen(spec->hostname);
	if (len > HOST_NAME_LEN)
		len = (int)strcspn(spec->hostname, ".");
	buffer_addf(text, "lxc.uts.name = %.*s\n", len, spec->hostname);
	buffer_addf(text, "lxc.rootfs.path = dir:%s\n", spec->rootfs_path);
	buffer_add_text(text, "lxc.rootfs.options = idmap=container\n");
	buffer_addf(text, "lxc.idmap = u 0 %" PRIu32 " %d\n", spec->id_base, ID_COUNT);
	buffer_addf(text, "lxc.idmap = g 0 %" PRIu32 " %d\n", spec->id_base, ID_COUNT);
}

/* liblxc would guess the broadcast address wrongly. A /31 or /32 has none. */
static void add_ipv4(const struct address *address, struct buffer *text)
{
	struct in_addr own;
	buffer_addf(text, "lxc.net.0.ipv4.address = %s/%d", address->address, address->prefix_len);
	if (address->prefix_len < 31 && inet_pton(AF_INET, address->address, &own) == 1) {
		char place[INET_ADDRSTRLEN];
		own.s_addr |= htonl(UINT32_MAX >> address->prefix_len);
		buffer_addf(text, " %s", inet_ntop(AF_INET, &own, place, sizeof(place)));
	}
	buffer_add_text(text, "\n");
}

/* The network is up before the first program inside runs; the system inside sets the same again from its
 * cloud-init data, which is where IPv6 comes from (its address within the /64 is chosen there). */
static void add_network(const struct guest_spec *spec, struct buffer *text)
{
	bool has_gateway = false;
	buffer_addf(text,
		"lxc.net.0.type = veth\nlxc.net.0.name = eth0\nlxc.net.0.veth.pair = %s\nlxc.net.0.link = "
		"%s\n"
		"lxc.net.0.hwaddr = %s\nlxc.net.0.flags = up\n",
		spec->interface, spec->bridge, spec->mac);
	for (size_t i = 0; i < spec->address_count; i++) {
		const struct address *address = &spec->addresses[i];
		if (!name_is_ipv4(address->address))
			continue;
		add_ipv4(address, text);
		if (has_gateway || !address->gateway || !name_is_ipv4(address->gateway))
			continue;
		buffer_addf(text, "lxc.net.0.ipv4.gateway = %s\n", address->gateway);
		has_gateway = true;
	}
}

/* No console and no ttys: nothing on the host reads what the guest prints, so it cannot make the host busy.
 * sys_boot stays, the guest reboots itself; why a hook has to fail is told in helper_boot.c. With AppArmor,
 * mounts are left to the kernel's rules for user namespaces: what the generated profile denies systemd takes
 * as a failure of its own services, and what the kernel denies it does without. */
static void add_confinement(const struct config_host *host, struct buffer *text)
{
	buffer_add_text(text, "lxc.cap.drop = mac_admin mac_override sys_module sys_rawio sys_time\n");
	buffer_addf(text, "lxc.seccomp.profile = %s\n", host->seccomp_path);
	if (host->apparmor)
		buffer_add_text(text, "lxc.apparmor.profile = generated\nlxc.apparmor.raw = mount,\n");
	buffer_add_text(text,
		"lxc.autodev = 1\nlxc.pty.max = 1024\nlxc.tty.max = 0\nlxc.console.path = none\n"
		"lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed\n"
		"lxc.mount.entry = /dev/net/tun dev/net/tun none bind,create=file,optional 0 0\n"
		"lxc.hook.post-stop = /bin/false\n"
		"lxc.signal.halt = SIGRTMIN+3\nlxc.proc.oom_score_adj = 0\n");
	buffer_addf(text, "lxc.log.level = ERROR\nlxc.log.file = %s\n", host->log_path);
}

static void add_devices(const struct cgroup_layout *cgroups, const char *key, struct buffer *text)
{
	static const char *const allowed[] = {"c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
		"c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm"};
	if (!cgroups->has[CGROUP_DEVICES])
		return;
	buffer_addf(text, "%s.devices.deny = a\n", key);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		buffer_addf(text, "%s.devices.allow = %s\n", key, allowed[i]);
}

static int64_t cpu_quota_us(const struct guest_spec *spec)
{
	int64_t quota_us = spec->cpu_percent * CPU_PERIOD_US / 100;
	return quota_us < CPU_QUOTA_MIN_US ? CPU_QUOTA_MIN_US : quota_us;
}

static void add_limits_v1(
	const struct guest_spec *spec, const struct cgroup_layout *cgroups, struct buffer *text)
{
	buffer_addf(text, "lxc.cgroup.memory.limit_in_bytes = %" PRId64 "\n", spec->ram_bytes);
	if (cgroups->has_swap)
		buffer_addf(text, "lxc.cgroup.memory.memsw.limit_in_bytes = %" PRId64 "\n",
			spec->ram_bytes + spec->swap_bytes);
	if (cgroups->has[CGROUP_CPU] && spec->cpu_percent)
		buffer_addf(text,
			"lxc.cgroup.cpu.cfs_period_us = %d\nlxc.cgroup.cpu.cfs_quota_us = %" PRId64 "\n",
			CPU_PERIOD_US, cpu_quota_us(spec));
	if (cgroups->has[CGROUP_PIDS] && spec->process_max)
		buffer_addf(text, "lxc.cgroup.pids.max = %" PRId64 "\n", spec->process_max);
}

static void add_limits_v2(
	const struct guest_spec *spec, const struct cgroup_layout *cgroups, struct buffer *text)
{
	buffer_addf(text, "lxc.cgroup2.memory.max = %" PRId64 "\n", spec->ram_bytes);
	if (cgroups->has_swap)
		buffer_addf(text, "lxc.cgroup2.memory.swap.max = %" PRId64 "\n", spec->swap_bytes);
	if (cgroups->has[CGROUP_CPU] && spec->cpu_percent)
		buffer_addf(
			text, "lxc.cgroup2.cpu.max = %" PRId64 " %d\n", cpu_quota_us(spec), CPU_PERIOD_US);
	if (cgroups->has[CGROUP_PIDS] && spec->process_max)
		buffer_addf(text, "lxc.cgroup2.pids.max = %" PRId64 "\n", spec->process_max);
}

static void add_groups(
	const struct guest_spec *spec, const struct cgroup_layout *cgroups, struct buffer *text)
{
	buffer_addf(text,
		"lxc.cgroup.relative = 0\nlxc.cgroup.dir.container = " CGROUP_GUESTS "/%s\n"
		"lxc.cgroup.dir.monitor = " CGROUP_MONITORS
		"/%s\nlxc.cgroup.dir.monitor.pivot = " CGROUP_PIVOT "\n",
		spec->name, spec->name);
	add_devices(cgroups, cgroups->unified ? "lxc.cgroup2" : "lxc.cgroup", text);
	if (cgroups->unified)
		add_limits_v2(spec, cgroups, text);
	else
		add_limits_v1(spec, cgroups, text);
}

int config_text(
	const struct guest_spec *spec, const struct config_host *host, struct buffer *text, struct error *err)
{
	int rc = check_spec(spec, err);
	if (rc < 0)
		return rc;
	if (!config_path_is_plain(host->seccomp_path) || !config_path_is_plain(host->log_path))
		return refuse(err, "path of the node");
	add_identity(spec, text);
	add_network(spec, text);
	add_confinement(host, text);
	add_groups(spec, host->cgroups, text);
	return text->overflowed ? err_set(err, ERR_TOO_LARGE, "container configuration too long") : 0;
}
