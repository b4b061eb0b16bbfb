/* Connections through the node's network: what guests reach on the host and outside, and who reaches guests.
 * A connection that must not come is followed by one that must: both take the same way, so the first would be
 * there. */
#include "lab.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <stdio.h>
#include <unistd.h>

struct state {
	struct lab lab;
	struct net *net;
};

/* A connection from PLACE to ADDRESS:PORT arrives at LISTENER, coming from PEER. */
static void assert_reaches(struct state *state, enum lab_place place, const char *address, int port,
	int listener, const char *peer)
{
	char seen[46];
	int out = lab_connect_to(&state->lab, place, address, port);
	int in = lab_accept(listener, seen);
	lab_wait_connected(out);
	assert_string_equal(seen, peer);
	close(in);
	close(out);
}

/* A connection from PLACE to ADDRESS:PORT arrives nowhere, while one to GOOD:GOOD_PORT sent later does. */
static void assert_blocked(struct state *state, enum lab_place place, const char *address, int port,
	int listener, const char *good, int good_port, int good_listener)
{
	char seen[46];
	int out = lab_connect_to(&state->lab, place, address, port);
	int later = lab_connect_to(&state->lab, place, good, good_port);
	int in = lab_accept(good_listener, seen);
	lab_wait_connected(later);
	assert_true(lab_is_quiet(listener));
	assert_false(lab_is_connected(out));
	close(in);
	close(later);
	close(out);
}

static void guests_reach_open_ports_only(void **ret)
{
	struct state *state = *ret;
	int open = lab_listen(&state->lab, LAB_HOST, "0.0.0.0", 8443);
	int closed = lab_listen(&state->lab, LAB_HOST, "0.0.0.0", 22);
	assert_reaches(state, LAB_ALICE, LAB_GATEWAY, 8443, open, "10.77.0.11");
	assert_reaches(state, LAB_ALICE, LAB_HOST_OUTER, 8443, open, "10.77.0.11");
	assert_blocked(state, LAB_ALICE, LAB_GATEWAY, 22, closed, LAB_GATEWAY, 8443, open);
	assert_blocked(state, LAB_ALICE, LAB_HOST_OUTER, 22, closed, LAB_GATEWAY, 8443, open);
	assert_reaches(state, LAB_OUTSIDE, LAB_HOST_OUTER, 22, closed, LAB_OUTSIDE_IP);
	close(open);
	close(closed);
}

static void guests_reach_each_other(void **ret)
{
	struct state *state = *ret;
	int bob = lab_listen(&state->lab, LAB_BOB, "0.0.0.0", 80);
	assert_reaches(state, LAB_ALICE, "10.77.0.12", 80, bob, "10.77.0.11");
	close(bob);
}

static void guests_go_out_as_the_host(void **ret)
{
	struct state *state = *ret;
	int outside = lab_listen(&state->lab, LAB_OUTSIDE, "0.0.0.0", 80);
	assert_reaches(state, LAB_ALICE, LAB_OUTSIDE_IP, 80, outside, LAB_HOST_OUTER);
	close(outside);
}

static void nobody_outside_reaches_a_guest_uninvited(void **ret)
{
	struct state *state = *ret;
	int bob = lab_listen(&state->lab, LAB_BOB, "0.0.0.0", 80),
	    ssh = lab_listen(&state->lab, LAB_BOB, "0.0.0.0", 22);
	assert_blocked(state, LAB_OUTSIDE, "10.77.0.12", 80, bob, LAB_HOST_OUTER, 20002, ssh);
	assert_blocked(state, LAB_OUTSIDE, "10.77.0.12", 22, bob, LAB_HOST_OUTER, 20002, ssh);
	close(bob);
	close(ssh);
}

static void the_ssh_port_leads_to_the_guest(void **ret)
{
	struct state *state = *ret;
	int alice = lab_listen(&state->lab, LAB_ALICE, "0.0.0.0", 22);
	assert_reaches(state, LAB_OUTSIDE, LAB_HOST_OUTER, 20001, alice, LAB_OUTSIDE_IP);
	assert_reaches(state, LAB_HOST, LAB_HOST_OUTER, 20001, alice, LAB_HOST_OUTER);
	assert_reaches(state, LAB_HOST, LAB_GATEWAY, 20001, alice, LAB_GATEWAY);
	close(alice);
}

/* From one guest to the other's port on the host, and to the own one: the way back must lead over the host
 * too. */
static void the_ssh_port_works_from_guests(void **ret)
{
	struct state *state = *ret;
	int alice = lab_listen(&state->lab, LAB_ALICE, "0.0.0.0", 22);
	assert_true(lab_bridge_hooks(false));
	assert_reaches(state, LAB_BOB, LAB_HOST_OUTER, 20001, alice, LAB_GATEWAY);
	assert_reaches(state, LAB_ALICE, LAB_HOST_OUTER, 20001, alice, LAB_GATEWAY);
	if (lab_bridge_hooks(true))
		assert_reaches(state, LAB_BOB, LAB_HOST_OUTER, 20001, alice, LAB_GATEWAY);
	close(alice);
}

static void loopback_is_left_alone(void **ret)
{
	struct state *state = *ret;
	int own = lab_listen(&state->lab, LAB_HOST, "127.0.0.1", 20001);
	assert_reaches(state, LAB_HOST, "127.0.0.1", 20001, own, "127.0.0.1");
	close(own);
}

/* The outside holds the address where clouds keep a machine's credentials. */
static void link_local_services_are_out_of_reach(void **ret)
{
	struct state *state = *ret;
	lab_enter(&state->lab, LAB_OUTSIDE);
	lab_run("ip", "address", "add", "169.254.169.254/32", "dev", "eth0", NULL);
	lab_enter(&state->lab, LAB_HOST);
	lab_run("ip", "route", "add", "169.254.169.254/32", "dev", "outer", NULL);
	int secret = lab_listen(&state->lab, LAB_OUTSIDE, "169.254.169.254", 80);
	int public = lab_listen(&state->lab, LAB_OUTSIDE, LAB_OUTSIDE_IP, 80);
	assert_reaches(state, LAB_HOST, "169.254.169.254", 80, secret, LAB_HOST_OUTER);
	assert_blocked(state, LAB_ALICE, "169.254.169.254", 80, secret, LAB_OUTSIDE_IP, 80, public);
	close(secret);
	close(public);
}

static unsigned short checksum_of(const unsigned char *bytes, size_t len)
{
	unsigned sum = 0;
	for (size_t i = 0; i < len; i += 2)
		sum += (unsigned)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned short)~sum;
}

static void ping_answers(void **ret)
{
	struct state *state = *ret;
	struct sockaddr_in gateway = {.sin_family = AF_INET};
	unsigned char echo[16] = {8, 0, 0, 0, 0x12, 0x34, 0, 1}, answer[128] = {0};
	unsigned short checksum = checksum_of(echo, sizeof(echo));
	echo[2] = (unsigned char)(checksum >> 8);
	echo[3] = (unsigned char)checksum;
	assert_int_equal(inet_pton(AF_INET, LAB_GATEWAY, &gateway.sin_addr), 1);
	lab_enter(&state->lab, LAB_ALICE);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	lab_enter(&state->lab, LAB_HOST);
	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, echo, sizeof(echo), 0, (struct sockaddr *)&gateway, sizeof(gateway)),
		sizeof(echo));
	struct pollfd one = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&one, 1, 20000), 1);
	assert_true(read(fd, answer, sizeof(answer)) >= 28);
	assert_int_equal(answer[20], 0); /* echo reply, behind 20 bytes of IPv4 */
	assert_memory_equal(answer + 24, echo + 4, 4);
	close(fd);
}

static void connections_survive_changes_and_a_restart(void **ret)
{
	struct state *state = *ret;
	char peer[46], byte = 0;
	int alice = lab_listen(&state->lab, LAB_ALICE, "0.0.0.0", 22);
	int out = lab_connect_to(&state->lab, LAB_OUTSIDE, LAB_HOST_OUTER, 20001);
	int in = lab_accept(alice, peer);
	lab_wait_connected(out);
	assert_int_equal(net_vps_set(state->net, &state->lab.vps[LAB_ALICE], NULL), 0);
	net_close(state->net);
	state->net = NULL;
	assert_int_equal(net_open(&state->lab.config, state->lab.vps + LAB_ALICE, 2, &state->net, NULL), 0);
	assert_int_equal(write(in, "x", 1), 1);
	assert_int_equal(write(out, "y", 1), 1);
	assert_int_equal(read(in, &byte, 1), 1); /* blocks until it is there */
	assert_int_equal(byte, 'y');
	close(in);
	close(out);
	close(alice);
}

static void bytes_are_counted_from_the_guests_side(void **ret)
{
	struct state *state = *ret;
	int64_t in = -1, out = -1, in_later = -1, out_later = -1;
	assert_int_equal(net_vps_bytes(state->net, "moa1", &in, &out, NULL), 0);
	char block[4096] = {0}, peer[46];
	int outside = lab_listen(&state->lab, LAB_OUTSIDE, "0.0.0.0", 80);
	int from = lab_connect_to(&state->lab, LAB_ALICE, LAB_OUTSIDE_IP, 80), to = lab_accept(outside, peer);
	lab_wait_connected(from);
	assert_int_equal(write(from, block, sizeof(block)), sizeof(block));
	for (size_t got = 0; got < sizeof(block);) {
		ssize_t step = read(to, block, sizeof(block));
		assert_true(step > 0);
		got += (size_t)step;
	}
	assert_int_equal(net_vps_bytes(state->net, "moa1", &in_later, &out_later, NULL), 0);
	assert_true(out_later - out >= (int64_t)sizeof(block));
	assert_true(in_later > in);
	assert_true(in_later - in < (int64_t)sizeof(block));
	assert_int_equal(net_vps_bytes(state->net, "moa9", &in, &out, NULL), -ERR_NOT_FOUND);
	close(from);
	close(to);
	close(outside);
}

static void the_host_knows_its_address(void **ret)
{
	(void)ret;
	char place[46];
	net_host_address(place);
	assert_string_equal(place, "127.0.0.1");
	lab_run("ip", "route", "add", "default", "via", LAB_OUTSIDE_IP, NULL);
	net_host_address(place);
	assert_string_equal(place, LAB_HOST_OUTER);
}

static int set_up(void **ret)
{
	struct state *state = mem_new(struct state);
	struct error err = {0};
	lab_init(&state->lab);
	if (net_open(&state->lab.config, state->lab.vps + LAB_ALICE, 2, &state->net, &err) < 0)
		fail_msg("%s", err.message);
	lab_connect(&state->lab);
	*ret = state;
	return 0;
}

static int tear_down(void **ret)
{
	struct state *state = *ret;
	net_close(state->net);
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
		cmocka_unit_test(guests_reach_open_ports_only),
		cmocka_unit_test(guests_reach_each_other),
		cmocka_unit_test(guests_go_out_as_the_host),
		cmocka_unit_test(nobody_outside_reaches_a_guest_uninvited),
		cmocka_unit_test(the_ssh_port_leads_to_the_guest),
		cmocka_unit_test(the_ssh_port_works_from_guests),
		cmocka_unit_test(loopback_is_left_alone),
		cmocka_unit_test(link_local_services_are_out_of_reach),
		cmocka_unit_test(ping_answers),
		cmocka_unit_test(connections_survive_changes_and_a_restart),
		cmocka_unit_test(bytes_are_counted_from_the_guests_side),
		cmocka_unit_test(the_host_knows_its_address),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
