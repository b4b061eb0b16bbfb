/* The schema, as migrations in both drivers' common subset; migrate.h tells what the tokens become. Append
 * only: a released text never changes. Names of enums are stored as text, times as unix seconds, booleans as
 * 0 and 1. */
#include "db/migrate.h"
#include "base/memory.h"

static const char people_and_places[] =
	/* Numbers that are never given twice. Their rows are also the locks that order writers on PostgreSQL.
	 */
	"CREATE TABLE sequence (name {text} NOT NULL PRIMARY KEY, value {int} NOT NULL){keyed};"
	"INSERT INTO sequence (name, value) VALUES ('veid', 1000000), ('work', 0);"

	"CREATE TABLE secret (name {text} NOT NULL PRIMARY KEY, value {blob} NOT NULL){keyed};"

	"CREATE TABLE account (id {id}, email {text} NOT NULL, ssh_keys {text} NOT NULL, created_s"
	" {int} NOT NULL){rows};"
	"CREATE UNIQUE INDEX account_email ON account (lower(email));"

	"CREATE TABLE location (id {text} NOT NULL PRIMARY KEY, name {text} NOT NULL, datacenter"
	" {text} NOT NULL, ipv6_ready {int} NOT NULL, private_network {int} NOT NULL){keyed};"

	"CREATE TABLE node (id {id}, alias {text} NOT NULL UNIQUE, location_id {text} NOT NULL"
	" REFERENCES location (id), ip {text} NOT NULL, endpoint {text} NOT NULL, port_first {int}"
	" NOT NULL, port_last {int} NOT NULL){rows};"

	"CREATE TABLE plan (id {id}, name {text} NOT NULL UNIQUE, disk_bytes {int} NOT NULL,"
	" ram_bytes {int} NOT NULL, swap_bytes {int} NOT NULL, cpu_percent {int} NOT NULL,"
	" process_max {int} NOT NULL, monthly_data_bytes {int} NOT NULL, data_multiplier {int} NOT"
	" NULL, ipv6_max {int} NOT NULL, private_network {int} NOT NULL, abuse_points_max {int}"
	" NOT NULL){rows};"

	"CREATE TABLE template (node_id {int} NOT NULL REFERENCES node (id) ON DELETE CASCADE,"
	" name {text} NOT NULL, type {text} NOT NULL, size_bytes {int} NOT NULL, created_s {int}"
	" NOT NULL, PRIMARY KEY (node_id, name, type)){keyed};";

static const char numbers[] =
	/* prefix_len is what a guest is told; 64 for IPv6, where a /64 is handed out. */
	"CREATE TABLE pool (id {id}, name {text} NOT NULL UNIQUE, node_id {int} NOT NULL"
	" REFERENCES node (id) ON DELETE CASCADE, family {int} NOT NULL, prefix_len {int} NOT"
	" NULL, cidr {text} NOT NULL, gateway {text} NOT NULL, first {text} NOT NULL, last {text}"
	" NOT NULL){rows};"
	"CREATE INDEX pool_node ON pool (node_id);"

	/* The numbers that are free, as ranges that never touch: kind 'pool' (owner: pool.id) holds
	 * addresses, kind 'port' (owner: node.id) ports. */
	"CREATE TABLE free_range (kind {text} NOT NULL, owner_id {int} NOT NULL, first {int} NOT"
	" NULL, last {int} NOT NULL, PRIMARY KEY (kind, owner_id, first)){keyed};";

static const char machines[] =
	"CREATE TABLE vps (veid {int} NOT NULL PRIMARY KEY, account_id {int} NOT NULL REFERENCES"
	" account (id), node_id {int} NOT NULL REFERENCES node (id), plan_id {int} NOT NULL"
	" REFERENCES plan (id), type {text} NOT NULL, state {text} NOT NULL, hostname {text} NOT"
	" NULL, os {text} NOT NULL, mac {text} NOT NULL, ssh_port {int} NOT NULL, wanted_running"
	" {int} NOT NULL, suspended {int} NOT NULL, suspension_count {int} NOT NULL, abuse_points"
	" {int} NOT NULL, data_counter_bytes {int} NOT NULL, data_next_reset_s {int} NOT NULL,"
	" created_s {int} NOT NULL, purge_at_s {int} NOT NULL, ssh_keys {text} NOT NULL,"
	" password_hash {text} NOT NULL, key_hash {blob} NOT NULL){rows};"
	"CREATE INDEX vps_account ON vps (account_id);"
	"CREATE INDEX vps_node ON vps (node_id, veid);"
	"CREATE INDEX vps_plan ON vps (plan_id);"
	"CREATE INDEX vps_purge ON vps (node_id, purge_at_s) WHERE state = 'deleted';"
	"CREATE UNIQUE INDEX vps_port ON vps (node_id, ssh_port) WHERE ssh_port <> 22;"

	/* number orders addresses of a family; see pool_range.h. */
	"CREATE TABLE address (veid {int} NOT NULL REFERENCES vps (veid), family {int} NOT NULL,"
	" number {int} NOT NULL, address {text} NOT NULL, pool_id {int} NOT NULL REFERENCES pool"
	" (id), ptr {text}, PRIMARY KEY (veid, family, number)){keyed};"
	"CREATE UNIQUE INDEX address_number ON address (family, number);"
	"CREATE INDEX address_pool ON address (pool_id, number);"

	/* Keys beside the one in vps. */
	"CREATE TABLE api_key (veid {int} NOT NULL REFERENCES vps (veid), hash {blob} NOT NULL,"
	" created_s {int} NOT NULL, PRIMARY KEY (veid, hash)){keyed};";

static const char limits_and_work[] =
	"CREATE TABLE points (veid {int} NOT NULL PRIMARY KEY, window_15min_s {int} NOT NULL,"
	" used_15min {int} NOT NULL, window_24h_s {int} NOT NULL, used_24h {int} NOT NULL){rows};"

	"CREATE TABLE guess (source {text} NOT NULL PRIMARY KEY, window_s {int} NOT NULL, total"
	" {int} NOT NULL){keyed};"
	"CREATE INDEX guess_window ON guess (window_s);"

	/* veid names no row of vps: the work outlives its VPS. 0 stands for the node itself. */
	"CREATE TABLE work (id {int} NOT NULL PRIMARY KEY, node_id {int} NOT NULL REFERENCES node"
	" (id) ON DELETE CASCADE, veid {int} NOT NULL, kind {text} NOT NULL, args {text} NOT NULL,"
	" state {text} NOT NULL, step {int} NOT NULL, percent {int} NOT NULL, title {text} NOT"
	" NULL, message {text} NOT NULL, error {text} NOT NULL, created_s {int} NOT NULL,"
	" updated_s {int} NOT NULL){rows};"
	/* The lock of a VPS. */
	"CREATE UNIQUE INDEX work_of_vps ON work (veid) WHERE veid <> 0 AND state IN ('running',"
	" 'undoing');"
	"CREATE INDEX work_unfinished ON work (node_id, id) WHERE state IN ('running', 'undoing');";

const struct migration migrations[] = {
	{"people and places", people_and_places},
	{"pools and ports", numbers},
	{"VPSs", machines},
	{"limits and work", limits_and_work},
};
const size_t migration_count = ARRAY_LEN(migrations);
