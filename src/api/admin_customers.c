/* Accounts and plans. */
#include "api/call.h"
#include "base/clock.h"
#include "guest/guest.h"

int admin_account_add(struct call *call, const struct account_add_args *args, struct account_add_reply *reply,
	struct error *err)
{
	(void)reply;
	const char *keys = "";
	int64_t id;
	int rc = args->ssh_keys ? ssh_keys_parse(args->ssh_keys, call->arena, &keys, err) : 0;
	if (rc == 0)
		rc = db_account_add(call->db, args->email, clock_unix_s(), &id, err);
	if (rc == 0 && keys[0])
		rc = db_account_set_ssh_keys(call->db, id, keys, err);
	return rc;
}

int admin_account_list(struct call *call, const struct account_list_args *args,
	struct account_list_reply *reply, struct error *err)
{
	(void)args;
	struct account *accounts;
	size_t count;
	int rc = db_account_list(call->db, call->arena, &accounts, &count, err);
	if (rc < 0)
		return rc;
	reply->accounts.items = arena_array(call->arena, count, struct account_entry_record);
	reply->accounts.count = count;
	for (size_t i = 0; i < count; i++)
		reply->accounts.items[i] =
			(struct account_entry_record){accounts[i].email, accounts[i].created_s};
	return 0;
}

int admin_account_remove(struct call *call, const struct account_remove_args *args,
	struct account_remove_reply *reply, struct error *err)
{
	(void)reply;
	return db_account_remove(call->db, args->email, err);
}

int admin_plan_set(
	struct call *call, const struct plan_set_args *args, struct plan_set_reply *reply, struct error *err)
{
	(void)reply;
	struct plan plan = {.name = args->name,
		.disk_bytes = args->disk,
		.ram_bytes = args->ram,
		.swap_bytes = args->swap,
		.cpu_percent = args->cpu_percent,
		.process_max = args->processes,
		.monthly_data_bytes = args->monthly_data,
		.data_multiplier = args->data_multiplier,
		.ipv6_max = args->max_ipv6s,
		.private_network = args->private_network,
		.abuse_points_max = args->max_abuse_points};
	int64_t id;
	return db_plan_set(call->db, &plan, &id, err);
}

int admin_plan_list(struct call *call, const struct plan_list_args *args, struct plan_list_reply *reply,
	struct error *err)
{
	(void)args;
	struct plan *plans;
	size_t count;
	int rc = db_plan_list(call->db, call->arena, &plans, &count, err);
	if (rc < 0)
		return rc;
	reply->plans.items = arena_array(call->arena, count, struct plan_entry_record);
	reply->plans.count = count;
	for (size_t i = 0; i < count; i++)
		reply->plans.items[i] = (struct plan_entry_record){.name = plans[i].name,
			.disk = plans[i].disk_bytes,
			.ram = plans[i].ram_bytes,
			.swap = plans[i].swap_bytes,
			.cpu_percent = plans[i].cpu_percent,
			.processes = plans[i].process_max,
			.monthly_data = plans[i].monthly_data_bytes,
			.data_multiplier = plans[i].data_multiplier};
	return 0;
}

int admin_plan_remove(struct call *call, const struct plan_remove_args *args, struct plan_remove_reply *reply,
	struct error *err)
{
	(void)reply;
	return db_plan_remove(call->db, args->name, err);
}
