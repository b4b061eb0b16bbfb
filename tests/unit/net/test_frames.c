/* What a guest may put on the wire: Alice sends frames by hand, honest and hostile ones, and Bob and the host
 * look what arrives. Every frame is followed by an honest one on the same way; what has not arrived before
 * that one never will. */
#include "lab.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/bridge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALICE_MAC "020000000001"
#define BOB_MAC "020000000002"
#define ALL_MAC "ffffffffffff"
#define ALICE_IP "0a4d000b"
#define BOB_IP "0a4d000c"
#define GATEWAY_IP "0a4d0001"
#define NET_IP "0a4dffff"
#define ALICE_LOCAL "fe80000000000000000000fffe000001"
#define BOB_LOCAL "fe80000000000000000000fffe000002"
#define ALICE_GLOBAL "20010db8000100010000000000000042"
#define BOB_GLOBAL "20010db8000100020000000000000042"
#define ALL_NODES "ff020000000000000000000000000001"
#define NO_IP6 "00000000000000000000000000000000"

/* ---- frames, written as hex ---- */

struct frame {
	unsigned char bytes[512];
	size_t len;
};

static void add_hex(struct frame *frame, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned byte = 0;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		frame->bytes[frame->len++] = (unsigned char)byte;
	}
}

/* The header checksum of an IPv4 packet that starts at AT. */
static void fix_checksum(struct frame *frame, size_t at)
{
	uint32_t sum = 0;
	for (size_t i = at; i < at + 20; i += 2)
		sum += (uint32_t)frame->bytes[i] << 8 | frame->bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	frame->bytes[at + 10] = (unsigned char)(~sum >> 8);
	frame->bytes[at + 11] = (unsigned char)~sum;
}

enum { TAIL_LEN = 16 };

static void add_tail(struct frame *frame, const char *tail)
{
	char place[TAIL_LEN + 1];
	snprintf(place, sizeof(place), "%-16s", tail);
	memcpy(frame->bytes + frame->len, place, TAIL_LEN);
	frame->len += TAIL_LEN;
}

static void add_ethernet(struct frame *frame, const char *to, const char *from, const char *type)
{
	add_hex(frame, to);
	add_hex(frame, from);
	add_hex(frame, type);
}

struct attempt {
	const char *name;
	const char *from, *type; /* Ethernet source; "0800", or a tag before it */
	const char *body;	 /* everything behind the Ethernet header, in hex */
	bool arrives;
	const char *to; /* NULL for everybody */
};

/* IPv4 with 8 bytes of UDP: lengths 20 + 8 + tail. */
#define IPV4(from, to, protocol) \
	"4500002c00000000" \
	"40" protocol "0000" from to
#define UDP(from, to) \
	from to "0018" \
		"0000"
#define HONEST_IPV4 IPV4(ALICE_IP, NET_IP, "11") UDP("1234", "4321")
#define ARP(operation, mac, ip, target_mac, target) "000108000604" operation mac ip target_mac target
/* IPv6 with LEN bytes behind it, next header NEXT, hop limit 255. */
#define IPV6(len, next, from, to) "60000000" len next "ff" from to
#define ND_TARGET(type, target) \
	type "00" \
	     "0000" \
	     "00000000" target
#define ND_LEN "0028" /* 24 + tail */
#define RA \
	"86000000" \
	"40000708" \
	"00000000" \
	"00000000" /* 16 bytes */

static const struct attempt attempts[] = {
	{"own IPv4", ALICE_MAC, "0800", HONEST_IPV4, true, NULL},
	{"own IPv4 to Bob alone", ALICE_MAC, "0800", IPV4(ALICE_IP, BOB_IP, "11") UDP("1234", "4321"), true,
		BOB_MAC},
	{"own ARP request", ALICE_MAC, "0806", ARP("0001", ALICE_MAC, ALICE_IP, "000000000000", BOB_IP), true,
		NULL},
	{"own ARP answer", ALICE_MAC, "0806", ARP("0002", ALICE_MAC, ALICE_IP, BOB_MAC, BOB_IP), true, NULL},
	{"own gratuitous ARP", ALICE_MAC, "0806", ARP("0001", ALICE_MAC, ALICE_IP, "000000000000", ALICE_IP),
		true, NULL},
	{"own link-local IPv6", ALICE_MAC, "86dd",
		IPV6("0018", "11", ALICE_LOCAL, ALL_NODES) UDP("1234", "4321"), true, NULL},
	{"IPv6 out of the own /64", ALICE_MAC, "86dd",
		IPV6("0018", "11", ALICE_GLOBAL, ALL_NODES) UDP("1234", "4321"), true, NULL},
	{"own advertisement", ALICE_MAC, "86dd",
		IPV6(ND_LEN, "3a", ALICE_LOCAL, ALL_NODES) ND_TARGET("88", ALICE_GLOBAL), true, NULL},
	{"own duplicate detection", ALICE_MAC, "86dd",
		IPV6(ND_LEN, "3a", NO_IP6, ALL_NODES) ND_TARGET("87", ALICE_LOCAL), true, NULL},

	{"Bob's MAC", BOB_MAC, "0800", HONEST_IPV4, false, NULL},
	{"some MAC", "02deadbeef01", "0800", HONEST_IPV4, false, NULL},
	{"Bob's IPv4", ALICE_MAC, "0800", IPV4(BOB_IP, NET_IP, "11") UDP("1234", "4321"), false, NULL},
	{"Bob's MAC and IPv4", BOB_MAC, "0800", IPV4(BOB_IP, NET_IP, "11") UDP("1234", "4321"), false, NULL},
	{"the gateway's IPv4", ALICE_MAC, "0800", IPV4(GATEWAY_IP, NET_IP, "11") UDP("1234", "4321"), false,
		NULL},
	{"foreign IPv4", ALICE_MAC, "0800", IPV4("08080808", NET_IP, "11") UDP("1234", "4321"), false, NULL},
	{"no IPv4", ALICE_MAC, "0800", IPV4("00000000", "ffffffff", "11") UDP("0044", "0043"), false, NULL},
	{"DHCP server", ALICE_MAC, "0800", IPV4(ALICE_IP, "ffffffff", "11") UDP("0043", "0044"), false, NULL},
	{"ICMP redirect", ALICE_MAC, "0800", IPV4(ALICE_IP, BOB_IP, "01") "0501000000000000", false, NULL},
	{"ARP as Bob", ALICE_MAC, "0806", ARP("0002", ALICE_MAC, BOB_IP, ALL_MAC, GATEWAY_IP), false, NULL},
	{"ARP as the gateway", ALICE_MAC, "0806", ARP("0002", ALICE_MAC, GATEWAY_IP, BOB_MAC, BOB_IP), false,
		NULL},
	{"gratuitous ARP as Bob", ALICE_MAC, "0806", ARP("0001", ALICE_MAC, BOB_IP, "000000000000", BOB_IP),
		false, NULL},
	{"ARP with Bob's MAC inside", ALICE_MAC, "0806", ARP("0002", BOB_MAC, ALICE_IP, ALL_MAC, GATEWAY_IP),
		false, NULL},
	{"own ARP under Bob's MAC", BOB_MAC, "0806", ARP("0002", ALICE_MAC, ALICE_IP, ALL_MAC, GATEWAY_IP),
		false, NULL},
	{"ARP without sender", ALICE_MAC, "0806", ARP("0001", ALICE_MAC, "00000000", "000000000000", BOB_IP),
		false, NULL},
	{"ARP with an odd operation", ALICE_MAC, "0806", ARP("0009", ALICE_MAC, ALICE_IP, ALL_MAC, BOB_IP),
		false, NULL},
	{"reverse ARP", ALICE_MAC, "8035", ARP("0003", ALICE_MAC, ALICE_IP, ALICE_MAC, ALICE_IP), false,
		NULL},
	{"Bob's link-local IPv6", ALICE_MAC, "86dd",
		IPV6("0018", "11", BOB_LOCAL, ALL_NODES) UDP("1234", "4321"), false, NULL},
	{"Bob's IPv6", ALICE_MAC, "86dd", IPV6("0018", "11", BOB_GLOBAL, ALL_NODES) UDP("1234", "4321"),
		false, NULL},
	{"no IPv6", ALICE_MAC, "86dd", IPV6("0018", "11", NO_IP6, ALL_NODES) UDP("1234", "4321"), false,
		NULL},
	{"DHCPv6 server", ALICE_MAC, "86dd", IPV6("0018", "11", ALICE_LOCAL, ALL_NODES) UDP("0223", "0222"),
		false, NULL},
	{"router advertisement", ALICE_MAC, "86dd", IPV6("0020", "3a", ALICE_LOCAL, ALL_NODES) RA, false,
		NULL},
	{"router advertisement behind options", ALICE_MAC, "86dd",
		IPV6("0028", "3c", ALICE_LOCAL, ALL_NODES) "3a00010400000000" RA, false, NULL},
	{"router advertisement in a whole fragment", ALICE_MAC, "86dd",
		IPV6("0028", "2c", ALICE_LOCAL, ALL_NODES) "3a00000000000001" RA, false, NULL},
	{"first fragment of hidden discovery", ALICE_MAC, "86dd",
		IPV6("0020", "2c", ALICE_LOCAL, ALL_NODES) "3c00000100000001"
							   "3a00010400000000",
		false, NULL},
	{"later fragment of hidden discovery", ALICE_MAC, "86dd",
		IPV6("0028", "2c", ALICE_LOCAL, ALL_NODES) "3c00000800000001" RA, false, NULL},
	{"IPv6 redirect", ALICE_MAC, "86dd",
		IPV6(ND_LEN, "3a", ALICE_LOCAL, ALL_NODES) ND_TARGET("89", BOB_LOCAL), false, NULL},
	{"advertisement of Bob's address", ALICE_MAC, "86dd",
		IPV6(ND_LEN, "3a", ALICE_LOCAL, ALL_NODES) ND_TARGET("88", BOB_GLOBAL), false, NULL},
	{"duplicate detection of Bob's address", ALICE_MAC, "86dd",
		IPV6(ND_LEN, "3a", NO_IP6, ALL_NODES) ND_TARGET("87", BOB_LOCAL), false, NULL},
	{"802.1Q tag", ALICE_MAC, "810000640800", HONEST_IPV4, false, NULL},
	{"802.1Q priority tag", ALICE_MAC, "8100a0000800", HONEST_IPV4, false, NULL},
	{"802.1Q tag and Bob's IPv4", ALICE_MAC, "810000640800",
		IPV4(BOB_IP, NET_IP, "11") UDP("1234", "4321"), false, NULL},
	{"802.1ad tag", ALICE_MAC, "88a800648100006e0800", HONEST_IPV4, false, NULL},
	{"spanning tree", ALICE_MAC, "0026",
		"424203"
		"0000000000",
		false, "0180c2000000"},
	{"spanning tree to everybody", ALICE_MAC, "0026",
		"424203"
		"0000000000",
		false, NULL},
	{"LLDP", ALICE_MAC, "88cc", "0207040200000000", false, "0180c200000e"},
	{"pause frame", ALICE_MAC, "8808", "0001ffff00000000", false, "0180c2000001"},
	{"unknown type", ALICE_MAC, "88b5", "0000000000000000", false, NULL},
	{"MPLS", ALICE_MAC, "8847", "00064140" HONEST_IPV4, false, NULL},
	{"PPPoE discovery", ALICE_MAC, "8863", "110900000000", false, NULL},
};

static void build(const struct attempt *attempt, const char *tail, struct frame *frame)
{
	*frame = (struct frame){.len = 0};
	add_ethernet(frame, attempt->to ? attempt->to : ALL_MAC, attempt->from, attempt->type);
	size_t at = frame->len;
	add_hex(frame, attempt->body);
	if (text_starts(attempt->body, "45"))
		fix_checksum(frame, at);
	add_tail(frame, tail);
}

/* ---- who sees what ---- */

struct state {
	struct lab lab;
	struct net *net;
	int alice, bob, stranger, host; /* packet sockets */
	unsigned count;
};

static void send_frame(int fd, const struct attempt *attempt, const char *tail)
{
	struct frame frame;
	build(attempt, tail, &frame);
	assert_int_equal(send(fd, frame.bytes, frame.len, 0), (ssize_t)frame.len);
}

/* Reads until the frame that ends in LAST; whether one with TAIL came before. */
static bool saw_before(int fd, const char *tail, const char *last)
{
	unsigned char bytes[2048];
	struct sockaddr_ll from;
	for (bool seen = false;;) {
		struct pollfd one = {.fd = fd, .events = POLLIN};
		if (poll(&one, 1, 20000) != 1)
			fail_msg("the honest frame %s did not arrive", last);
		socklen_t from_len = sizeof(from);
		ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);
		assert_true(got >= 0);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (memmem(bytes, (size_t)got, tail, strlen(tail)))
			seen = true;
		if (memmem(bytes, (size_t)got, last, strlen(last)))
			return seen;
	}
}

static void try_one(struct state *state, const struct attempt *attempt)
{
	char tail[TAIL_LEN + 1], last[TAIL_LEN + 1];
	snprintf(tail, sizeof(tail), "try-%08u", ++state->count);
	snprintf(last, sizeof(last), "end-%08u", state->count);
	send_frame(state->alice, attempt, tail);
	send_frame(state->alice, &attempts[0], last);
	bool bob = saw_before(state->bob, tail, last), host = saw_before(state->host, tail, last);
	bool for_host = !attempt->to || !text_equal(attempt->to, BOB_MAC);
	if (bob != attempt->arrives || host != (attempt->arrives && for_host))
		fail_msg("%s: Bob %s it, the host %s it", attempt->name, bob ? "got" : "did not get",
			host ? "got" : "did not get");
}

static void frames(void **state)
{
	assert_true(lab_bridge_hooks(false));
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		try_one(*state, &attempts[i]);
}

static void frames_under_bridge_hooks(void **state)
{
	if (!lab_bridge_hooks(true)) {
		print_message("SKIP: the kernel has no br_netfilter\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		try_one(*state, &attempts[i]);
}

/* The same frames do pass once nothing guards the link: the attempts above are refused by the rules and by
 * nothing else. What goes to reserved addresses is the bridge's own business. */
static void unguarded_frames_pass(void **state)
{
	struct state *here = *state;
	assert_true(lab_bridge_hooks(false));
	lab_run("nft", "flush", "table", "bridge", "moa", NULL);
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		char tail[TAIL_LEN + 1], last[TAIL_LEN + 1];
		snprintf(tail, sizeof(tail), "try-%08u", ++here->count);
		snprintf(last, sizeof(last), "end-%08u", here->count);
		send_frame(here->alice, &attempts[i], tail);
		send_frame(here->alice, &attempts[0], last);
		bool bob = saw_before(here->bob, tail, last);
		if (!attempts[i].to && !bob)
			fail_msg("%s does not arrive even without rules", attempts[i].name);
	}
	net_close(here->net);
	here->net = NULL;
	assert_int_equal(net_open(&here->lab.config, here->lab.vps + LAB_ALICE, 2, &here->net, NULL), 0);
	frames(state);
}

/* The stranger's port is on the bridge, but no VPS has that name. */
static void a_strange_port_reaches_no_guest(void **state)
{
	struct state *here = *state;
	struct attempt honest = attempts[0];
	honest.from = "020000000003";
	honest.body = IPV4("0a4d000d", NET_IP, "11") UDP("1234", "4321");
	send_frame(here->stranger, &honest, "strange");
	send_frame(here->alice, &attempts[0], "familiar");
	assert_false(saw_before(here->bob, "strange", "familiar"));
}

static void a_removed_guest_reaches_no_guest(void **state)
{
	struct state *here = *state;
	assert_int_equal(net_vps_set(here->net, &here->lab.vps[LAB_STRANGER], NULL), 0);
	struct attempt honest = attempts[0];
	honest.from = "020000000003";
	honest.body = IPV4("0a4d000d", NET_IP, "11") UDP("1234", "4321");
	send_frame(here->stranger, &honest, "set");
	send_frame(here->alice, &attempts[0], "first");
	assert_true(saw_before(here->bob, "set", "first"));
	assert_int_equal(net_vps_remove(here->net, here->lab.vps[LAB_STRANGER].veid, NULL), 0);
	send_frame(here->stranger, &honest, "gone");
	send_frame(here->alice, &attempts[0], "second");
	assert_false(saw_before(here->bob, "gone", "second"));
}

static int set_up(void **ret)
{
	struct state *state = mem_new(struct state);
	struct error err = {0};
	lab_init(&state->lab);
	if (net_open(&state->lab.config, state->lab.vps + LAB_ALICE, 2, &state->net, &err) < 0)
		fail_msg("%s", err.message);
	lab_connect(&state->lab);
	state->alice = lab_packets(&state->lab, LAB_ALICE, "eth0");
	state->bob = lab_packets(&state->lab, LAB_BOB, "eth0");
	state->stranger = lab_packets(&state->lab, LAB_STRANGER, "eth0");
	state->host = lab_packets(&state->lab, LAB_HOST, "moabr0");
	*ret = state;
	return 0;
}

static int tear_down(void **ret)
{
	struct state *state = *ret;
	net_close(state->net);
	close(state->alice);
	close(state->bob);
	close(state->stranger);
	close(state->host);
	lab_done(&state->lab);
	free(state);
	return 0;
}

int main(void)
{
	const char *missing = lab_missing();
	if (missing) {
		printf("SKIP: %s\n", missing);
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),
		cmocka_unit_test(frames_under_bridge_hooks),
		cmocka_unit_test(a_strange_port_reaches_no_guest),
		cmocka_unit_test(a_removed_guest_reaches_no_guest),
		cmocka_unit_test(unguarded_frames_pass),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
