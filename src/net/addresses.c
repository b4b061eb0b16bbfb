/* Names and addresses of the node's network: what may stand in a rule, and who the host is to the outside.
 * Checks are strict, since the text of a rule is made from these values: an address must be one that a guest
 * can own, and a name must not hold a byte that means something to nft. */
#include "net/member.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/name.h"
#include "net/bridge.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool net_name_is_link(const char *text)
{
	size_t len = strlen(text);
	return len >= 1 && len <= NET_NAME_MAX && strchr(TEXT_LOWER TEXT_UPPER, text[0]) &&
	       text_only(text, TEXT_ALNUM "-_.");
}

bool net_interface_name(const char *prefix, int64_t veid, char place[16])
{
	place[0] = '\0';
	if (veid < 1 || !net_name_is_link(prefix))
		return false;
	return text_format(place, NET_NAME_MAX + 1, "%s%lld", prefix, (long long)veid);
}

/* The address a packet to the outside would carry: asked of the routing table by connecting a datagram
 * socket, which sends nothing. The destination is one of those kept for documentation (RFC 5737). */
void net_host_address(char place[46])
{
	struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(9)}, own;
	socklen_t own_len = sizeof(own);
	snprintf(place, 46, "127.0.0.1");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
	if (connect(fd, (struct sockaddr *)&far, sizeof(far)) == 0 &&
		getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && own.sin_addr.s_addr)
		inet_ntop(AF_INET, &own.sin_addr, place, 46);
	close(fd);
}

static bool is_owned_ipv4(const unsigned char *bytes)
{
	return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224 && !(bytes[0] == 169 && bytes[1] == 254);
}

/* Global unicast and unique local addresses: no ::, ::1, mapped IPv4, link-local or multicast. */
static bool is_owned_ipv6(const unsigned char *bytes)
{
	return (bytes[0] & 0xe0) == 0x20 || (bytes[0] & 0xfe) == 0xfc;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static int parse_address(const char *text, struct member_address *ret, struct error *err)
{
	if (name_is_ipv4(text)) {
		inet_pton(AF_INET, text, ret->bytes);
		inet_ntop(AF_INET, ret->bytes, ret->text, sizeof(ret->text));
		if (is_owned_ipv4(ret->bytes))
			return 0;
	} else if (name_is_ipv6(text)) {
		ret->ipv6 = true;
		inet_pton(AF_INET6, text, ret->bytes);
		inet_ntop(AF_INET6, ret->bytes, ret->text, sizeof(ret->text));
		ret->subnet = is_zero(ret->bytes + 8, 8);
		if (is_owned_ipv6(ret->bytes))
			return 0;
	}
	return err_set(err, ERR_INVALID, "not an address a guest can have: %.64s", text);
}

/* RFC 4291 appendix A: the link-local address a MAC gives. */
static void link_local_of(const char *mac, struct member_address *ret)
{
	unsigned byte[6] = {0};
	sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5]);
	const unsigned host[8] = {byte[0] ^ 2, byte[1], byte[2], 0xff, 0xfe, byte[3], byte[4], byte[5]};
	*ret = (struct member_address){.ipv6 = true, .bytes = {0xfe, 0x80}};
	for (size_t i = 0; i < 8; i++)
		ret->bytes[8 + i] = (unsigned char)host[i];
	inet_ntop(AF_INET6, ret->bytes, ret->text, sizeof(ret->text));
}

static int check_mac(const struct net_config *config, const char *mac, struct error *err)
{
	char bridge_mac[18];
	bridge_mac_of(config, bridge_mac);
	if (!name_is_mac(mac) || strchr("13579bdf", mac[1]) || text_equal(mac, "00:00:00:00:00:00"))
		return err_set(err, ERR_INVALID, "not a MAC a guest can have: %.64s", mac);
	if (text_equal(mac, bridge_mac))
		return err_set(err, ERR_INVALID, "the MAC %s is the bridge's", mac);
	return 0;
}

static int check_vps(const struct net_config *config, const struct net_vps *vps, struct error *err)
{
	if (vps->veid < 1)
		return err_set(err, ERR_INVALID, "VPS number %lld", (long long)vps->veid);
	if (!vps->interface || !net_name_is_link(vps->interface) ||
		text_equal(vps->interface, config->bridge) || text_equal(vps->interface, "lo"))
		return err_set(err, ERR_INVALID, "not a name for a guest's interface: %.64s",
			vps->interface ? vps->interface : "");
	if (vps->address_count > MEMBER_ADDRESS_MAX)
		return err_set(err, ERR_INVALID, "%zu addresses are too many", vps->address_count);
	if (vps->ssh_port < 0 || vps->ssh_port > 65535)
		return err_set(err, ERR_INVALID, "SSH port %d", vps->ssh_port);
	return check_mac(config, vps->mac ? vps->mac : "", err);
}

static int add_address(
	const struct net_config *config, struct member *member, const char *text, struct error *err)
{
	struct member_address *address = &member->addresses[member->address_count];
	int rc = parse_address(text ? text : "", address, err);
	if (rc < 0)
		return rc;
	if (text_equal(address->text, config->gateway))
		return err_set(err, ERR_INVALID, "%s is the gateway", address->text);
	member->address_count++;
	if (!address->ipv6 && !member->ssh_address)
		member->ssh_address = address->text;
	return 0;
}

int member_make(
	const struct net_config *config, const struct net_vps *vps, struct member **ret, struct error *err)
{
	int rc = check_vps(config, vps, err);
	if (rc < 0)
		return err_wrap(err, "VPS %lld", (long long)vps->veid), rc;
	owned(member_free) struct member *member = mem_new(struct member);
	member->veid = vps->veid;
	member->ssh_port = vps->ssh_port;
	text_copy(member->interface, sizeof(member->interface), vps->interface);
	text_copy(member->mac, sizeof(member->mac), vps->mac);
	member->addresses = mem_alloc(vps->address_count + 1, sizeof(*member->addresses));
	link_local_of(member->mac, &member->addresses[member->address_count++]);
	for (size_t i = 0; i < vps->address_count; i++) {
		rc = add_address(config, member, vps->addresses[i].address, err);
		if (rc < 0)
			return err_wrap(err, "VPS %lld", (long long)vps->veid), rc;
	}
	if (member->ssh_port && !member->ssh_address)
		return err_set(err, ERR_INVALID,
			"VPS %lld has an SSH port and no IPv4 address to forward it to",
			(long long)vps->veid);
	*ret = take(member);
	return 0;
}

void member_free(struct member *member)
{
	if (!member)
		return;
	free(member->addresses);
	free(member);
}

static bool addresses_meet(const struct member_address *a, const struct member_address *b)
{
	if (a->ipv6 != b->ipv6)
		return false;
	size_t len = !a->ipv6 ? 4 : a->subnet || b->subnet ? 8 : 16;
	return memcmp(a->bytes, b->bytes, len) == 0;
}

int member_check_apart(const struct member *a, const struct member *b, struct error *err)
{
	const char *shared = NULL;
	if (text_equal(a->interface, b->interface))
		shared = a->interface;
	if (text_equal(a->mac, b->mac))
		shared = a->mac;
	for (size_t i = 0; i < a->address_count; i++)
		for (size_t k = 0; k < b->address_count; k++)
			if (addresses_meet(&a->addresses[i], &b->addresses[k]))
				shared = a->addresses[i].text;
	if (shared)
		return err_set(err, ERR_EXISTS, "VPS %lld and VPS %lld both claim %s", (long long)a->veid,
			(long long)b->veid, shared);
	if (a->ssh_port && a->ssh_port == b->ssh_port)
		return err_set(err, ERR_EXISTS, "VPS %lld and VPS %lld both claim port %d",
			(long long)a->veid, (long long)b->veid, a->ssh_port);
	return 0;
}

static bool is_table_name(const char *text)
{
	size_t len = strlen(text);
	return len >= 1 && len <= 31 && strchr(TEXT_LOWER TEXT_UPPER, text[0]) &&
	       text_only(text, TEXT_ALNUM "_");
}

int net_config_check(const struct net_config *config, struct error *err)
{
	struct member_address gateway = {0};
	if (!config->bridge || !net_name_is_link(config->bridge))
		return err_say(
			err, ERR_INVALID, "The bridge's name must be 1 to 15 letters, digits, - _ or .");
	if (!config->table || !is_table_name(config->table))
		return err_say(err, ERR_INVALID, "The table's name must be 1 to 31 letters, digits or _");
	if (!config->gateway || !name_is_ipv4(config->gateway) ||
		parse_address(config->gateway, &gateway, NULL) < 0)
		return err_say(err, ERR_INVALID, "The gateway must be an IPv4 address");
	if (config->prefix_len < 8 || config->prefix_len > 30)
		return err_say(err, ERR_INVALID, "The network's prefix length must be from 8 to 30");
	return 0;
}
