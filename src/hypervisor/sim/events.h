/* State changes told on a thread of their own and in order, as the real back ends tell them. */
#pragma once
#include "hypervisor/hypervisor.h"

struct events;

int events_new(hypervisor_event *event, void *context, struct events **ret, struct error *err);
/* Tells what is still queued, then ends. */
void events_free(struct events *events);
void events_add(struct events *events, const char *name, enum guest_state state);
