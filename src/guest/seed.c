/* cloud-init's three documents for a first boot. They are written as JSON, which is YAML too, so that quoting
 * is always right. Every value is checked here again: a seed is the one place where a bad one would run as
 * root in a guest.
 *
 * What may change later inside the guest (host name, /etc/hosts) is written once and not "managed": settings
 * in user data win over files in the guest, so a managed name would come back at each boot. */
#include "guest/guest.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "json/writer.h"
#include "model/name.h"
#include <arpa/inet.h>
#include <string.h>

enum { DOCUMENT_MAX = 256 << 10, ADDRESSES_MAX = 256, DNS_MAX = 16 };

void seed_done(struct seed *seed)
{
	free(seed->meta_data);
	free(seed->user_data);
	free(seed->network_config);
	*seed = (struct seed){0};
}

/* ---- checks ---- */

static bool is_ip(const char *text)
{
	return text && (name_is_ipv4(text) || name_is_ipv6(text));
}

static bool is_hash(const char *text)
{
	size_t len = strlen(text);
	return len == 0 || (len < 128 && text[0] == '$' && text_only(text, TEXT_ALNUM "./$=,_-"));
}

static int check_address(const struct address *address, struct error *err)
{
	bool ipv6 = address->address && name_is_ipv6(address->address);
	if (!is_ip(address->address) || address->prefix_len < 1 || address->prefix_len > (ipv6 ? 128 : 32))
		return err_set(err, ERR_INVALID, "seed: not an address: %.64s/%d",
			address->address ? address->address : "", address->prefix_len);
	const char *gateway = address->gateway;
	if (gateway && gateway[0] && (!is_ip(gateway) || name_is_ipv6(gateway) != ipv6))
		return err_set(err, ERR_INVALID, "seed: not a gateway: %.64s", gateway);
	return 0;
}

static int check_network(const struct seed_spec *spec, struct error *err)
{
	if (spec->address_count > ADDRESSES_MAX)
		return err_set(err, ERR_INVALID, "seed: %zu addresses", spec->address_count);
	for (size_t i = 0; i < spec->address_count; i++) {
		int rc = check_address(&spec->addresses[i], err);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; spec->dns && spec->dns[i]; i++)
		if (i >= DNS_MAX || !is_ip(spec->dns[i]))
			return err_set(err, ERR_INVALID, "seed: not a name server: %.64s", spec->dns[i]);
	return name_is_mac(spec->mac) ? 0 : err_set(err, ERR_INVALID, "seed: not a MAC: %.64s", spec->mac);
}

static int check_spec(const struct seed_spec *spec, struct error *err)
{
	if (!name_is_identifier(spec->instance_id))
		return err_set(err, ERR_INVALID, "seed: instance id");
	if (!name_is_hostname(spec->hostname))
		return err_set(err, ERR_INVALID, "seed: host name");
	if (!is_hash(spec->password_hash))
		return err_set(err, ERR_INVALID, "seed: password hash");
	return check_network(spec, err);
}

/* ---- documents ---- */

/* The wire's writer escapes "/"; older YAML readers do not know that escape, and JSON does not need it. */
static char *plain_slashes(const struct buffer *json)
{
	struct buffer out = BUFFER_INIT(DOCUMENT_MAX);
	for (size_t i = 0; i < json->len; i++) {
		bool escape = json->data[i] == '\\' && i + 1 < json->len;
		if (escape && json->data[i + 1] != '/')
			buffer_add_byte(&out, json->data[i++]);
		else if (escape)
			i++;
		buffer_add_byte(&out, json->data[i]);
	}
	buffer_add_byte(&out, '\n');
	return buffer_take(&out);
}

/* The kernel takes 64 bytes of a name; a longer one runs as its first label. */
static void running_name(const struct seed_spec *spec, char place[65])
{
	size_t len = strlen(spec->hostname);
	if (len > 64)
		len = strcspn(spec->hostname, ".");
	memcpy(place, spec->hostname, len);
	place[len] = '\0';
}

static char *meta_data(const struct seed_spec *spec)
{
	char name[65];
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(DOCUMENT_MAX);
	struct json_writer writer = JSON_WRITER(&out);
	running_name(spec, name);
	json_open_object(&writer, NULL);
	json_add_text(&writer, "instance-id", spec->instance_id);
	json_add_text(&writer, "local-hostname", name);
	json_close_object(&writer);
	return plain_slashes(&out);
}

static void add_file(struct json_writer *writer, const char *path, const char *content)
{
	json_open_object(writer, NULL);
	json_add_text(writer, "path", path);
	json_add_text(writer, "owner", "root:root");
	json_add_text(writer, "permissions", "0644");
	json_add_text(writer, "content", content);
	json_close_object(writer);
}

static void add_files(const struct seed_spec *spec, struct json_writer *writer)
{
	char name[65];
	bool password = spec->password_hash[0];
	running_name(spec, name);
	bool same = text_equal(name, spec->hostname);
	size_t short_len = strcspn(name, ".");
	owned_mem char *hosts = mem_printf("127.0.0.1 localhost\n127.0.1.1 %s%s%s%s%.*s\n\n"
					   "::1 localhost ip6-localhost ip6-loopback\n"
					   "ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n",
		spec->hostname, same ? "" : " ", same ? "" : name, name[short_len] ? " " : "",
		name[short_len] ? (int)short_len : 0, name);
	json_open_array(writer, "write_files");
	add_file(writer, "/etc/hosts", hosts);
	add_file(writer, "/etc/ssh/sshd_config.d/10-moa.conf",
		password ? "PermitRootLogin yes\nPasswordAuthentication yes\n"
			 : "PermitRootLogin prohibit-password\nPasswordAuthentication no\n");
	json_close_array(writer);
}

/* Root alone: naming the users keeps the distribution's default user from being made. cloud-init before 22.3
 * takes the hash from here, later ones from chpasswd. */
static void add_root(const struct seed_spec *spec, struct json_writer *writer)
{
	bool password = spec->password_hash[0];
	json_open_array(writer, "users");
	json_open_object(writer, NULL);
	json_add_text(writer, "name", "root");
	json_add_bool(writer, "lock_passwd", !password);
	if (password)
		json_add_text(writer, "hashed_passwd", spec->password_hash);
	json_close_object(writer);
	json_close_array(writer);
	if (!password)
		return;
	json_open_object(writer, "chpasswd");
	json_add_bool(writer, "expire", false);
	json_open_array(writer, "users");
	json_open_object(writer, NULL);
	json_add_text(writer, "name", "root");
	json_add_text(writer, "password", spec->password_hash);
	json_add_text(writer, "type", "hash");
	json_close_object(writer);
	json_close_array(writer);
	json_close_object(writer);
}

static void add_keys(const char *keys, struct json_writer *writer)
{
	if (!keys[0])
		return;
	json_open_array(writer, "ssh_authorized_keys");
	while (*keys) {
		size_t len = strcspn(keys, "\n");
		json_add_bytes(writer, NULL, keys, len);
		keys += len + (keys[len] == '\n');
	}
	json_close_array(writer);
}

static char *user_data(const struct seed_spec *spec, const char *keys)
{
	char name[65];
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(DOCUMENT_MAX);
	struct json_writer writer = JSON_WRITER(&out);
	running_name(spec, name);
	buffer_add_text(&out, "#cloud-config\n");
	json_open_object(&writer, NULL);
	json_add_text(&writer, "hostname", name);
	json_add_text(&writer, "fqdn", spec->hostname);
	json_add_bool(&writer, "disable_root", false);
	json_add_bool(&writer, "ssh_pwauth", spec->password_hash[0] != '\0');
	add_root(spec, &writer);
	add_keys(keys, &writer);
	add_files(spec, &writer);
	json_close_object(&writer);
	return plain_slashes(&out);
}

/* ---- network ---- */

static bool same_network(const char *a, const char *b, int prefix_len)
{
	unsigned char first[16] = {0}, second[16] = {0};
	int family = name_is_ipv6(a) ? AF_INET6 : AF_INET;
	inet_pton(family, a, first);
	inet_pton(family, b, second);
	for (int bit = 0; bit < prefix_len; bit++)
		if ((first[bit / 8] ^ second[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* A whole /64 is known by its bare prefix; the guest takes the first address in it that is not the gateway's.
 */
static void own_address(const struct address *address, char place[INET6_ADDRSTRLEN])
{
	unsigned char bytes[16] = {0};
	text_copy(place, INET6_ADDRSTRLEN, address->address);
	if (!name_is_ipv6(address->address) || inet_pton(AF_INET6, address->address, bytes) != 1)
		return;
	for (size_t i = 8; i < 16; i++)
		if (bytes[i])
			return;
	for (bytes[15] = 1; bytes[15] < 3; bytes[15]++) {
		unsigned char gateway[16] = {0};
		inet_ntop(AF_INET6, bytes, place, INET6_ADDRSTRLEN);
		inet_pton(AF_INET6, address->gateway ? address->gateway : "", gateway);
		if (memcmp(bytes, gateway, 16) != 0)
			return;
	}
}

static void add_addresses(const struct seed_spec *spec, struct json_writer *writer)
{
	json_open_array(writer, "addresses");
	for (size_t i = 0; i < spec->address_count; i++) {
		char own[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
		own_address(&spec->addresses[i], own);
		text_format(text, sizeof(text), "%s/%d", own, spec->addresses[i].prefix_len);
		json_add_text(writer, NULL, text);
	}
	json_close_array(writer);
}

/* The first gateway of a family is the default route's. */
static const struct address *gateway_of(const struct seed_spec *spec, bool ipv6)
{
	for (size_t i = 0; i < spec->address_count; i++) {
		const struct address *address = &spec->addresses[i];
		if (address->gateway && address->gateway[0] && name_is_ipv6(address->address) == ipv6)
			return address;
	}
	return NULL;
}

/* A gateway outside its address's network is on the link all the same. IPv6 has its own key: cloud-init 22
 * writes a route to ::/0 as one to ::/64. */
static void add_default_routes(const struct seed_spec *spec, struct json_writer *writer)
{
	const struct address *ipv4 = gateway_of(spec, false), *ipv6 = gateway_of(spec, true);
	if (ipv4) {
		json_open_array(writer, "routes");
		json_open_object(writer, NULL);
		json_add_text(writer, "to", "0.0.0.0/0");
		json_add_text(writer, "via", ipv4->gateway);
		if (!same_network(ipv4->address, ipv4->gateway, ipv4->prefix_len))
			json_add_bool(writer, "on-link", true);
		json_close_object(writer);
		json_close_array(writer);
	}
	if (ipv6)
		json_add_text(writer, "gateway6", ipv6->gateway);
}

static void add_interface(const struct seed_spec *spec, struct json_writer *writer)
{
	json_open_object(writer, "eth0");
	json_open_object(writer, "match");
	json_add_text(writer, "macaddress", spec->mac);
	json_close_object(writer);
	json_add_bool(writer, "dhcp4", false);
	json_add_bool(writer, "dhcp6", false);
	json_add_bool(writer, "accept-ra", false);
	add_addresses(spec, writer);
	add_default_routes(spec, writer);
	if (spec->dns && spec->dns[0]) {
		json_open_object(writer, "nameservers");
		json_open_array(writer, "addresses");
		for (size_t i = 0; spec->dns[i]; i++)
			json_add_text(writer, NULL, spec->dns[i]);
		json_close_array(writer);
		json_close_object(writer);
	}
	json_close_object(writer);
}

/* Matched by MAC and not renamed: "eth0" is the entry's name here, the link's own is looked up by its MAC. */
static char *network_config(const struct seed_spec *spec)
{
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(DOCUMENT_MAX);
	struct json_writer writer = JSON_WRITER(&out);
	json_open_object(&writer, NULL);
	json_add_int(&writer, "version", 2);
	json_open_object(&writer, "ethernets");
	add_interface(spec, &writer);
	json_close_object(&writer);
	json_close_object(&writer);
	return plain_slashes(&out);
}

int seed_build(const struct seed_spec *spec, struct seed *ret, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	const char *keys = NULL;
	int rc = check_spec(spec, err);
	if (rc == 0)
		rc = ssh_keys_parse(spec->ssh_keys ? spec->ssh_keys : "", &arena, &keys, err);
	if (rc < 0)
		return rc;
	*ret = (struct seed){.meta_data = meta_data(spec),
		.user_data = user_data(spec, keys),
		.network_config = network_config(spec)};
	return 0;
}
