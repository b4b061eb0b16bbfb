/* The nft text of a node. Table "bridge": what a guest may send at all, by interface, MAC and address. Table
 * "inet": what guests reach on the host, what is passed on, and the translation of addresses. The static part
 * knows no VPS; a VPS is a handful of elements in sets and one map, so that a change is small and leaves
 * everything else as it was. */
#include "net/rules.h"
#include "base/memory.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <string.h>

/* The first sets know which port is whose; an address belongs to an interface and its MAC at once. `targets`
 * holds the addresses of `ipv6` again, as plain numbers: nft has no name for the target field of neighbour
 * discovery. */
static const char bridge_sets[] =
	"	set links { type ifname; }\n"
	"	set macs { type ifname . ether_addr; }\n"
	"	set ipv4 { type ifname . ether_addr . ipv4_addr; }\n"
	"	set ipv6 { type ifname . ether_addr . ipv6_addr; flags interval; }\n"
	"	set targets { typeof iifname . ether saddr . @th,64,128; flags interval; }\n";

/* Frames are dropped before the bridge learns from them. Anything but IPv4, ARP and IPv6 ends here: tagged
 * frames, STP, LLDP. */
static const char bridge_guest[] =
	"	chain guest {\n"
	"		iifname . ether saddr != @macs drop\n"
	"		ether type arp goto guest_arp\n"
	"		ether type ip goto guest_ipv4\n"
	"		ether type ip6 goto guest_ipv6\n"
	"		drop\n"
	"	}\n"
	"	chain guest_arp {\n"
	"		arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation { request, reply } "
	"iifname . arp saddr ether . arp saddr ip @ipv4 accept\n"
	"		drop\n"
	"	}\n"
	"	chain guest_ipv4 {\n"
	"		iifname . ether saddr . ip saddr != @ipv4 drop\n"
	"		udp sport 67 drop\n"
	"		icmp type { redirect, router-advertisement } drop\n"
	"		accept\n"
	"	}\n";

/* Neighbour discovery is never fragmented (RFC 6980) and always has hop limit 255, so a fragment with it can
 * only want to hide an advertisement. */
static const char bridge_guest_ipv6[] =
	"	chain guest_ipv6 {\n"
	"		icmpv6 type { nd-router-advert, nd-redirect } drop\n"
	"		udp sport 547 drop\n"
	"		ip6 hoplimit 255 exthdr frag exists drop\n"
	"		icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 != @targets drop\n"
	"		ip6 saddr :: icmpv6 type nd-neighbor-solicit "
	"iifname . ether saddr . @th,64,128 @targets accept\n"
	"		iifname . ether saddr . ip6 saddr @ipv6 accept\n"
	"		drop\n"
	"	}\n";

static void add_bridge_table(const struct net_config *config, struct rules_form form, struct buffer *out)
{
	buffer_addf(out, "table bridge %s {\n%s", config->table, bridge_sets);
	buffer_addf(out,
		"	chain prerouting {\n"
		"		type filter hook prerouting priority -300; policy accept;\n"
		"		iifname @links goto guest\n"
		"%s%s%s"
		"	}\n"
		"	chain forward {\n"
		"		type filter hook forward priority -200; policy accept;\n"
		"		oifname @links iifname != @links drop\n"
		"	}\n",
		form.vouched ? "		meta ibrname \"" : "", form.vouched ? config->bridge : "",
		form.vouched ? "\" drop\n" : "");
	buffer_addf(out, "%s%s}\n", bridge_guest, bridge_guest_ipv6);
}

static void add_input(const struct net_config *config, struct buffer *out)
{
	buffer_addf(out,
		"	chain input {\n"
		"		type filter hook input priority filter; policy accept;\n"
		"		iifname \"%s\" goto guest_input\n"
		"	}\n"
		"	chain guest_input {\n"
		"		ct state established,related accept\n"
		"		icmp type echo-request accept\n"
		"		icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } "
		"accept\n"
		"		tcp dport @open_ports accept\n"
		"		drop\n"
		"	}\n",
		config->bridge);
}

/* Link-local destinations are the host's own affair: clouds keep the credentials of a machine there. */
static void add_forward(const struct net_config *config, struct buffer *out)
{
	buffer_addf(out,
		"	chain forward {\n"
		"		type filter hook forward priority filter; policy accept;\n"
		"		oifname \"%s\" goto to_guest\n"
		"		iifname \"%s\" goto from_guest\n"
		"	}\n"
		"	chain to_guest {\n"
		"		ct state established,related accept\n"
		"		iifname \"%s\" accept\n"
		"		%s\n"
		"		drop\n"
		"	}\n"
		"	chain from_guest {\n"
		"		ip daddr 169.254.0.0/16 drop\n"
		"		ct state invalid drop\n"
		"		accept\n"
		"	}\n",
		config->bridge, config->bridge, config->bridge,
		config->nat ? "ct status dnat accept" : "ct state new accept");
}

static void network_of(const struct net_config *config, char place[INET_ADDRSTRLEN])
{
	struct in_addr address = {0};
	inet_pton(AF_INET, config->gateway, &address);
	address.s_addr &= htonl(UINT32_MAX << (32 - config->prefix_len));
	inet_ntop(AF_INET, &address, place, INET_ADDRSTRLEN);
}

/* A connection from one guest to another through a forwarded port must come back through the host, so it is
 * masqueraded too. Its source is the sign: a bridged packet shows no incoming interface there. Loopback
 * addresses are left alone: their packets could not come back without opening 127.0.0.0/8 to guests. */
static void add_nat(const struct net_config *config, struct buffer *out)
{
	char network[INET_ADDRSTRLEN];
	network_of(config, network);
	buffer_addf(out,
		"	map ssh { type inet_service : ipv4_addr . inet_service; }\n"
		"	chain nat_prerouting {\n"
		"		type nat hook prerouting priority dstnat; policy accept;\n"
		"		fib daddr type local dnat ip to tcp dport map @ssh\n"
		"	}\n"
		"	chain nat_output {\n"
		"		type nat hook output priority -100; policy accept;\n"
		"		ip daddr != 127.0.0.0/8 fib daddr type local dnat ip to tcp dport map @ssh\n"
		"	}\n"
		"	chain nat_postrouting {\n"
		"		type nat hook postrouting priority srcnat; policy accept;\n"
		"		ip saddr %s/%d oifname \"%s\" ct status dnat masquerade\n"
		"		ip saddr %s/%d oifname != \"%s\" masquerade\n"
		"	}\n",
		network, config->prefix_len, config->bridge, network, config->prefix_len, config->bridge);
}

static void add_inet_table(const struct net_config *config, struct buffer *out)
{
	buffer_addf(out, "table inet %s {\n	set open_ports { type inet_service; }\n", config->table);
	add_input(config, out);
	add_forward(config, out);
	if (config->nat)
		add_nat(config, out);
	buffer_add_text(out, "}\n");
}

/* `flush table` takes the rules and leaves sets and counters; the sets are then emptied by name. */
static void add_flushes(const struct net_config *config, struct buffer *out)
{
	static const char *const sets[] = {"links", "macs", "ipv4", "ipv6", "targets"};
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		buffer_addf(out, "flush set bridge %s %s\n", config->table, sets[i]);
	buffer_addf(out, "flush set inet %s open_ports\n", config->table);
	if (config->nat)
		buffer_addf(out, "flush map inet %s ssh\n", config->table);
}

static void add_open_ports(const struct net_config *config, struct buffer *out)
{
	for (const uint16_t *port = config->open_ports; port && *port; port++)
		buffer_addf(out, "add element inet %s open_ports { %u }\n", config->table, *port);
}

/* A number as nft writes it, for an interval of LEN free bits at the end when LAST. */
static void add_number(struct buffer *out, const struct member_address *address, bool last)
{
	char digits[33];
	unsigned char bytes[16];
	memcpy(bytes, address->bytes, sizeof(bytes));
	if (last)
		memset(bytes + 8, 0xff, 8);
	text_hex(bytes, sizeof(bytes), digits);
	buffer_addf(out, "0x%s", digits);
}

/* The element's text after "add element " or "delete element ". Callers loop over elements by index. */
enum { FIXED_ELEMENTS = 3 };

static size_t element_count(const struct member *member)
{
	return member ? FIXED_ELEMENTS + 2 * member->address_count : 0;
}

static void add_address_element(
	const struct net_config *config, const struct member *member, size_t index, struct buffer *out)
{
	const struct member_address *address = &member->addresses[index / 2];
	bool as_number = index % 2;
	if (as_number && !address->ipv6)
		return;
	buffer_addf(out, "bridge %s %s { \"%s\" . %s . ", config->table,
		as_number	? "targets"
		: address->ipv6 ? "ipv6"
				: "ipv4",
		member->interface, member->mac);
	if (as_number) {
		add_number(out, address, false);
		if (address->subnet) {
			buffer_add_byte(out, '-');
			add_number(out, address, true);
		}
	} else {
		buffer_addf(out, "%s%s", address->text, address->subnet ? "/64" : "");
	}
	buffer_add_text(out, " }");
}

static void add_element(
	const struct net_config *config, const struct member *member, size_t index, struct buffer *out)
{
	switch (index) {
	case 0:
		buffer_addf(out, "bridge %s links { \"%s\" }", config->table, member->interface);
		return;
	case 1:
		buffer_addf(
			out, "bridge %s macs { \"%s\" . %s }", config->table, member->interface, member->mac);
		return;
	case 2:
		if (config->nat && member->ssh_port)
			buffer_addf(out, "inet %s ssh { %d : %s . 22 }", config->table, member->ssh_port,
				member->ssh_address);
		return;
	default:
		add_address_element(config, member, index - FIXED_ELEMENTS, out);
	}
}

/* Whether MEMBER has the element TEXT among its own. */
static bool has_element(const struct net_config *config, const struct member *member, const char *text)
{
	bool found = false;
	for (size_t i = 0; i < element_count(member) && !found; i++) {
		owned_in(buffer_done) struct buffer own = BUFFER_INIT(0);
		add_element(config, member, i, &own);
		found = text_equal(own.data, text);
	}
	return found;
}

static void add_commands(const struct net_config *config, const char *command, const struct member *member,
	const struct member *except, struct buffer *out)
{
	for (size_t i = 0; i < element_count(member); i++) {
		owned_in(buffer_done) struct buffer element = BUFFER_INIT(0);
		add_element(config, member, i, &element);
		if (element.len && !has_element(config, except, element.data))
			buffer_addf(out, "%s %s\n", command, element.data);
	}
}

/* What stays is added again: that costs nothing, and shows at once when somebody else emptied the tables. */
void rules_change_text(const struct net_config *config, const struct member *before,
	const struct member *after, struct buffer *out)
{
	add_commands(config, "delete element", before, after, out);
	add_commands(config, "add element", after, NULL, out);
}

void rules_remove_text(const struct net_config *config, struct buffer *out)
{
	static const char *const families[] = {"bridge", "inet"};
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		buffer_addf(out, "add table %s %s\ndelete table %s %s\n", families[i], config->table,
			families[i], config->table);
}

void rules_replace_text(const struct net_config *config, struct rules_form form,
	const struct member *const *members, size_t count, struct buffer *out)
{
	if (form.recreate)
		rules_remove_text(config, out);
	else
		buffer_addf(out,
			"add table bridge %s\nadd table inet %s\nflush table bridge %s\nflush table inet "
			"%s\n",
			config->table, config->table, config->table, config->table);
	add_bridge_table(config, form, out);
	add_inet_table(config, out);
	add_flushes(config, out);
	add_open_ports(config, out);
	for (size_t i = 0; i < count; i++)
		add_commands(config, "add element", members[i], NULL, out);
}
