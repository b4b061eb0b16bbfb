/* See agents.h. Leaves talking to agents to agent.c. */
#include "hypervisor/kvm/agents.h"
#include "base/clock.h"
#include "base/text.h"
#include <string.h>
#include <time.h>

enum { MUTE_FIRST_MS = 5000, MUTE_MAX_MS = 20000 };

void agents_init(struct agents *agents)
{
	memset(agents, 0, sizeof(*agents));
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&agents->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&agents->lock, NULL);
}

void agents_done(struct agents *agents)
{
	pthread_cond_destroy(&agents->ended);
	pthread_mutex_destroy(&agents->lock);
}

static struct mute *mute_of(struct agents *agents, const char *name)
{
	uint32_t hash = 2166136261u;
	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	return &agents->mutes[hash % AGENT_REMEMBERED];
}

void agents_forget(struct agents *agents, const char *name)
{
	pthread_mutex_lock(&agents->lock);
	struct mute *mute = mute_of(agents, name);
	if (text_equal(mute->name, name))
		*mute = (struct mute){0};
	pthread_mutex_unlock(&agents->lock);
}

void agents_strike(struct agents *agents, const char *name)
{
	pthread_mutex_lock(&agents->lock);
	struct mute *mute = mute_of(agents, name);
	if (!text_equal(mute->name, name)) {
		*mute = (struct mute){0};
		text_copy(mute->name, sizeof(mute->name), name);
	}
	int64_t pause_ms = (int64_t)MUTE_FIRST_MS << (mute->strikes < 8 ? mute->strikes++ : 8);
	mute->until_ms = clock_monotonic_ms() + (pause_ms < MUTE_MAX_MS ? pause_ms : MUTE_MAX_MS);
	pthread_mutex_unlock(&agents->lock);
}

static bool is_mute(struct agents *agents, const char *name)
{
	const struct mute *mute = mute_of(agents, name);
	return text_equal(mute->name, name) && clock_monotonic_ms() < mute->until_ms;
}

static bool is_asked(const struct agents *agents, const char *name)
{
	for (const struct agent_turn *turn = agents->turns; turn; turn = turn->next)
		if (text_equal(turn->name, name))
			return true;
	return false;
}

static int take_turn_locked(struct agents *agents, const char *name, int64_t deadline_ms,
	struct agent_turn *ret, struct error *err)
{
	struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
	while (is_asked(agents, name) && !is_mute(agents, name))
		if (pthread_cond_timedwait(&agents->ended, &agents->lock, &until))
			return err_set(err, ERR_UNAVAILABLE, "the agent in %s is busy", name);
	if (is_mute(agents, name))
		return err_set(err, ERR_UNAVAILABLE, "the agent in %s did not answer lately", name);
	*ret = (struct agent_turn){agents, name, agents->turns};
	agents->turns = ret;
	return 0;
}

int agents_take_turn(struct agents *agents, const char *name, int64_t deadline_ms, struct agent_turn *ret,
	struct error *err)
{
	pthread_mutex_lock(&agents->lock);
	int rc = take_turn_locked(agents, name, deadline_ms, ret, err);
	pthread_mutex_unlock(&agents->lock);
	return rc;
}

void agents_end_turn(struct agent_turn *turn)
{
	struct agents *agents = turn->agents;
	if (!agents)
		return;
	pthread_mutex_lock(&agents->lock);
	struct agent_turn **at = &agents->turns;
	while (*at != turn)
		at = &(*at)->next;
	*at = turn->next;
	pthread_cond_broadcast(&agents->ended);
	pthread_mutex_unlock(&agents->lock);
	turn->agents = NULL;
}
