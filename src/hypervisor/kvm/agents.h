/* Which guest agents are being asked, and which let us wait. Agents are hostile, and libvirtd has few places
 * for questions to them: one guest takes one place at most, and a mute one is left alone for a while. */
#pragma once
#include "base/error.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { AGENT_REMEMBERED = 256, AGENT_NAME_SIZE = 64 };

struct agent_turn {
	struct agents *agents; /* NULL when it is nobody's */
	const char *name;
	struct agent_turn *next;
};

struct agents {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct agent_turn *turns; /* those under way */
	/* Guests share a place by the hash of their name; the last one counts. */
	struct mute {
		char name[AGENT_NAME_SIZE];
		unsigned strikes;
		int64_t until_ms;
	} mutes[AGENT_REMEMBERED];
};

void agents_init(struct agents *agents);
void agents_done(struct agents *agents);
/* Waits until nobody else asks the agent of NAME, which is borrowed until agents_end_turn. ERR_UNAVAILABLE
 * when that takes until DEADLINE_MS (monotonic), and at once for an agent that was mute lately. */
int agents_take_turn(struct agents *agents, const char *name, int64_t deadline_ms, struct agent_turn *ret,
	struct error *err);
void agents_end_turn(struct agent_turn *turn);
/* The agent of NAME let us wait: 5 seconds without a question, 10 the second time, then 20. */
void agents_strike(struct agents *agents, const char *name);
/* It answered, or came or went: it starts afresh. */
void agents_forget(struct agents *agents, const char *name);
