/* A host, two guests, a stranger on the same bridge and a machine outside, each in a network namespace of its
 * own that vanishes with the test process. The host's namespace is the one the process is in; lab_enter
 * switches. */
#pragma once
#include "net/net.h"
#include <stddef.h>
#include <sys/types.h>

enum lab_place { LAB_HOST, LAB_ALICE, LAB_BOB, LAB_STRANGER, LAB_OUTSIDE, LAB_PLACES };

#define LAB_GATEWAY "10.77.0.1"
#define LAB_HOST_OUTER "198.51.100.1"
#define LAB_OUTSIDE_IP "198.51.100.2"

struct lab {
	int namespaces[LAB_PLACES];
	struct net_config config;
	struct net_vps vps[LAB_PLACES]; /* of Alice and Bob; the stranger's is never set */
	struct address addresses[LAB_PLACES][2];
};

/* Why the lab cannot stand here, or NULL. */
const char *lab_missing(void);
/* Makes the namespaces; nothing of net is called yet. */
void lab_init(struct lab *lab);
/* Puts the guests' links onto the bridge, which must exist, and the outside behind a link of the host. */
void lab_connect(struct lab *lab);
void lab_done(struct lab *lab);
void lab_enter(const struct lab *lab, enum lab_place place);
/* Whether bridged packets also pass the host's IP hooks (br_netfilter); false where the kernel cannot. */
bool lab_bridge_hooks(bool on);
/* Runs a program given as words, in the present namespace; it must succeed. */
void lab_run(const char *first, ...) __attribute__((sentinel));

/* TCP. Listeners and connections do not block. */
int lab_listen(const struct lab *lab, enum lab_place place, const char *address, int port);
int lab_connect_to(const struct lab *lab, enum lab_place place, const char *address, int port);
/* Waits until LISTENER has a connection; its peer's address into PLACE (46 bytes). */
int lab_accept(int listener, char place[46]);
/* Whether nothing has come to LISTENER so far. */
bool lab_is_quiet(int listener);
/* Waits until the connection stands. */
void lab_wait_connected(int fd);
bool lab_is_connected(int fd);

/* Raw frames: a socket that sees and sends all of a link. */
int lab_packets(const struct lab *lab, enum lab_place place, const char *interface);
