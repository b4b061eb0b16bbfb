/* getServiceInfo, getUsageGraphs, getRateLimitStatus: what the store knows. */
#include "api/service_info.h"
#include "base/clock.h"
#include "model/month.h"
#include <string.h>

enum { NO_FREE_REPLACEMENT = -100 };

static bool is_ipv6(const char *address)
{
	return strchr(address, ':') != NULL;
}

static void fill_addresses(struct call *call, struct service_info_record *info)
{
	const struct vps *vps = call->vps;
	info->ip_addresses.items = arena_array(call->arena, vps->address_count, const char *);
	info->ip_addresses.count = vps->address_count;
	info->ptr.items = arena_array(call->arena, vps->address_count, struct field_pair);
	info->ptr.count = vps->address_count;
	for (size_t i = 0; i < vps->address_count; i++) {
		const struct address *address = &vps->addresses[i];
		info->ip_addresses.items[i] = address->address;
		/* wire.md 3.1: null for an IPv4 without a name, "" for an IPv6. */
		const char *unset = is_ipv6(address->address) ? "" : NULL;
		info->ptr.items[i] =
			(struct field_pair){address->address, address->ptr ? address->ptr : unset};
		if (is_ipv6(address->address))
			info->ipv6_sit_tunnel_endpoint = vps->node.ip;
	}
}

/* The next turn of the VPS's month: never one that is past. */
static int64_t next_reset(int64_t reset_s, int64_t created_s)
{
	int64_t now_s = clock_unix_s();
	while (reset_s <= now_s)
		reset_s = month_next_s(reset_s, month_day(created_s));
	return reset_s;
}

void service_info_fill(struct call *call, struct service_info_record *info)
{
	const struct vps *vps = call->vps;
	*info = (struct service_info_record){
		.hostname = vps->hostname,
		.node_ip = vps->node.ip,
		.node_alias = vps->node.alias,
		.node_location_id = vps->location.id,
		.node_location = vps->location.name,
		.node_datacenter = vps->location.datacenter,
		.location_ipv6_ready = vps->location.ipv6_ready,
		.plan = vps->plan.name,
		.plan_monthly_data = vps->plan.monthly_data_bytes,
		.monthly_data_multiplier = vps->plan.data_multiplier,
		.plan_disk = vps->plan.disk_bytes,
		.plan_ram = vps->plan.ram_bytes,
		.plan_swap = vps->plan.swap_bytes,
		.plan_max_ipv6s = vps->plan.ipv6_max,
		.os = vps->os,
		.email = vps->account.email,
		.data_counter = vps->data_counter_bytes,
		.data_next_reset = next_reset(vps->data_next_reset_s, vps->created_s),
		.ip_nullroutes = "[]",
		.plan_private_network_available = vps->plan.private_network,
		.location_private_network_available = vps->location.private_network,
		.suspended = vps->suspended,
		.suspension_count = vps->suspension_count,
		.total_abuse_points = vps->abuse_points,
		.max_abuse_points = vps->plan.abuse_points_max,
		.free_ip_replacement_interval = NO_FREE_REPLACEMENT,
	};
	fill_addresses(call, info);
}

int call_getServiceInfo(struct call *call, const struct getServiceInfo_args *args,
	struct getServiceInfo_reply *reply, struct error *err)
{
	(void)args, (void)err;
	reply->vm_type = vps_type_name(call->vps->type);
	service_info_fill(call, &reply->info);
	return 0;
}

int call_getUsageGraphs(struct call *call, const struct getUsageGraphs_args *args,
	struct getUsageGraphs_reply *reply, struct error *err)
{
	(void)call, (void)args, (void)reply, (void)err;
	return 0;
}

int call_getRateLimitStatus(struct call *call, const struct getRateLimitStatus_args *args,
	struct getRateLimitStatus_reply *reply, struct error *err)
{
	(void)args;
	return call_points_left(call, &reply->remaining_points_15min, &reply->remaining_points_24h, err);
}
