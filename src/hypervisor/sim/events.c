#include "hypervisor/sim/events.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>

struct queued {
	struct queued *next;
	char *name;
	enum guest_state state;
};

struct events {
	hypervisor_event *event;
	void *context;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct queued *first, **last;
	bool stopping;
};

/* The next one, or NULL when there will be none. */
static struct queued *next_of(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	while (!events->first && !events->stopping)
		pthread_cond_wait(&events->changed, &events->lock);
	struct queued *queued = events->first;
	if (queued)
		events->first = queued->next;
	if (!events->first)
		events->last = &events->first;
	pthread_mutex_unlock(&events->lock);
	return queued;
}

static void *run(void *argument)
{
	struct events *events = argument;
	for (struct queued *queued; (queued = next_of(events));) {
		if (events->event)
			events->event(events->context, queued->name, queued->state);
		free(queued->name);
		free(queued);
	}
	return NULL;
}

static void release(struct events *events)
{
	pthread_cond_destroy(&events->changed);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

int events_new(hypervisor_event *event, void *context, struct events **ret, struct error *err)
{
	struct events *events = mem_new(struct events);
	events->event = event;
	events->context = context;
	events->last = &events->first;
	pthread_mutex_init(&events->lock, NULL);
	pthread_cond_init(&events->changed, NULL);
	int rc = pthread_create(&events->thread, NULL, run, events);
	if (rc) {
		release(events);
		return err_errno(err, rc, "thread for events");
	}
	*ret = events;
	return 0;
}

void events_free(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	events->stopping = true;
	pthread_cond_signal(&events->changed);
	pthread_mutex_unlock(&events->lock);
	pthread_join(events->thread, NULL);
	release(events);
}

void events_add(struct events *events, const char *name, enum guest_state state)
{
	struct queued *queued = mem_new(struct queued);
	queued->name = mem_strdup(name);
	queued->state = state;
	pthread_mutex_lock(&events->lock);
	*events->last = queued;
	events->last = &queued->next;
	pthread_cond_signal(&events->changed);
	pthread_mutex_unlock(&events->lock);
}
