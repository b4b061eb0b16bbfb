/* getLiveServiceInfo: the live state of the guest in the wire's two forms (wire.md 3.2 and 3.3). A guest that
 * answers nothing costs its live figures, never the call. */
#include "api/service_info.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>

enum {
	KIB = 1024,
	PAGE = 4096,
	TCP_SOCKETS_MAX = 16384,
	OPEN_FILES_MAX = 65536,
	INODES_OVER = 103,
	QUOTA_OVER = 105
};

static const char *number(struct call *call, int64_t value)
{
	return arena_printf(call->arena, "%lld", (long long)value);
}

static bool is_stopped(const struct guest_live_reply *live)
{
	return text_equal(live->state, "stopped");
}

static const char *quota_gb(struct call *call)
{
	return number(call, call->vps->plan.disk_bytes >> 30);
}

static void fill_kvm(struct call *call, const struct guest_live_reply *live, struct kvm_live_record *kvm)
{
	*kvm = (struct kvm_live_record){
		.ve_status = live->state,
		.ve_mac1 = call->vps->mac,
		.ve_used_disk_space_b = live->used_disk_bytes,
		.ve_disk_quota_gb = quota_gb(call),
		.is_cpu_throttled = "",
		.is_disk_throttled = "",
		.ssh_port = is_stopped(live) ? FIELD_ABSENT : call->vps->ssh_port,
		.live_hostname = live->hostname,
		.load_average = live->load_average,
		.mem_available_kb = live->mem_available_kb,
		.swap_total_kb = live->swap_total_kb,
		.swap_available_kb = live->swap_available_kb,
		.screendump_png_base64 = live->screenshot_base64,
	};
}

/* The first three figures of "0.00 0.01 0.05 1/147 6101", with slashes between. */
static const char *short_load(struct call *call, const char *line)
{
	char *text = arena_strdup(call->arena, line);
	int spaces = 0;
	for (char *at = text; *at; at++) {
		if (*at != ' ')
			continue;
		*at = ++spaces == 3 ? '\0' : '/';
		if (spaces == 3)
			break;
	}
	return spaces ? text : "0.00/0.00/0.00";
}

static void fill_status(struct call *call, const struct guest_live_reply *live, struct field_map *map)
{
	const struct plan *plan = &call->vps->plan;
	bool stopped = is_stopped(live);
	const char *used_pages = stopped ? "-" : number(call, live->memory_bytes / PAGE);
	const char *ram_pages = number(call, plan->ram_bytes / PAGE);
	const struct field_pair pairs[] = {
		{"status", stopped ? "stopped" : "running"},
		{"hostname", live->hostname && live->hostname[0] ? live->hostname : call->vps->hostname},
		{"load_average", short_load(call, live->load_average)},
		{"nproc", number(call, live->process_count)},
		{"nproc_b", number(call, plan->process_max)},
		{"kmemsize", number(call, live->kernel_memory_bytes)},
		{"kmemsize_b", number(call, plan->ram_bytes / 2)},
		{"privvmpages", number(call, live->memory_bytes / PAGE)},
		{"privvmpages_b", ram_pages},
		{"oomguarpages", used_pages},
		{"oomguarpages_b", ram_pages},
		{"numtcpsock", number(call, live->tcp_sockets)},
		{"numtcpsock_b", number(call, TCP_SOCKETS_MAX)},
		{"numfile", number(call, live->open_files)},
		{"numfile_b", number(call, OPEN_FILES_MAX)},
		{"swappages", stopped ? "-" : number(call, live->swap_bytes / PAGE)},
		{"swappages_b", number(call, plan->swap_bytes / PAGE)},
		{"physpages", number(call, live->memory_bytes / PAGE)},
		{"physpages_l", ram_pages},
	};
	map->count = ARRAY_LEN(pairs);
	map->items = arena_array(call->arena, map->count, struct field_pair);
	memcpy(map->items, pairs, sizeof(pairs));
}

static void fill_quota(struct call *call, const struct guest_live_reply *live, struct field_map *map)
{
	int64_t total_kb = call->vps->plan.disk_bytes / KIB;
	const struct field_pair pairs[] = {
		{"occupied_kb", is_stopped(live) ? "-" : number(call, live->used_disk_bytes / KIB)},
		{"softlimit_kb", number(call, total_kb)},
		{"hardlimit_kb", number(call, total_kb / 100 * QUOTA_OVER)},
		{"occupied_inodes", number(call, live->used_inodes)},
		{"softlimit_inodes", number(call, live->total_inodes)},
		{"hardlimit_inodes", number(call, live->total_inodes / 100 * INODES_OVER)},
	};
	map->count = ARRAY_LEN(pairs);
	map->items = arena_array(call->arena, map->count, struct field_pair);
	memcpy(map->items, pairs, sizeof(pairs));
}

static void fill_ovz(struct call *call, const struct guest_live_reply *live, struct ovz_live_record *ovz)
{
	struct kvm_live_record kvm;
	int64_t ram_left = call->vps->plan.ram_bytes - live->memory_bytes;
	int64_t swap_left = call->vps->plan.swap_bytes - live->swap_bytes;
	fill_kvm(call, live, &kvm);
	*ovz = (struct ovz_live_record){
		.is_cpu_throttled = kvm.is_cpu_throttled,
		.ssh_port = kvm.ssh_port,
		.ve_status = kvm.ve_status,
		.ve_mac1 = kvm.ve_mac1,
		.ve_used_disk_space_b = kvm.ve_used_disk_space_b,
		.ve_disk_quota_gb = kvm.ve_disk_quota_gb,
		.is_disk_throttled = kvm.is_disk_throttled,
		.live_hostname = kvm.live_hostname,
		.load_average = kvm.load_average,
		/* A container's own /proc/meminfo is the host's: what it may use is the plan's. */
		.mem_available_kb = ram_left > 0 ? ram_left / KIB : 0,
		.swap_total_kb = call->vps->plan.swap_bytes / KIB,
		.swap_available_kb = swap_left > 0 ? swap_left / KIB : 0,
	};
	fill_status(call, live, &ovz->vz_status);
	fill_quota(call, live, &ovz->vz_quota);
}

int call_getLiveServiceInfo(struct call *call, const struct getLiveServiceInfo_args *args,
	struct getLiveServiceInfo_reply *reply, struct error *err)
{
	(void)args;
	struct guest_live_args ask = {.veid = call->vps->veid, .screenshot = call->vps->type == VPS_KVM};
	struct guest_live_reply live;
	int rc = call_ask(call, NODE_guest_live, &ask, &live, err);
	if (rc < 0)
		return rc;
	reply->vm_type = vps_type_name(call->vps->type);
	if (call->vps->type == VPS_KVM)
		fill_kvm(call, &live, &reply->kvm);
	else
		fill_ovz(call, &live, &reply->ovz);
	service_info_fill(call, &reply->info);
	reply->veid = call->vps->veid;
	return 0;
}
