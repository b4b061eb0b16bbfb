/* A simulation: guests that exist in memory only, for load tests with 100,000 of them and for demonstrations
 * without root. State changes at once and is told on a thread of its own; programs run inside answer what the
 * API's own programs would see (programs.c). Nothing outlives the process. Chosen only by name. */
#include "hypervisor/hypervisor.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/sim/events.h"
#include "hypervisor/sim/programs.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

struct sim_guest {
	char *name; /* NULL: an empty slot */
	struct sim_inside inside;
	enum guest_state state;
	int64_t started_ms;
};

struct hypervisor {
	pthread_mutex_t lock;
	struct sim_guest *guests; /* open addressing by name */
	size_t capacity, count;
	struct events *events;
};

static size_t hash_of(const char *name)
{
	size_t hash = 1469598103934665603u;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211u;
	return hash;
}

static struct sim_guest *slot_of(struct sim_guest *guests, size_t capacity, const char *name)
{
	size_t at = hash_of(name) & (capacity - 1);
	while (guests[at].name && strcmp(guests[at].name, name) != 0)
		at = (at + 1) & (capacity - 1);
	return &guests[at];
}

static void grow(struct hypervisor *hv)
{
	size_t capacity = hv->capacity ? 2 * hv->capacity : FIRST_CAPACITY;
	struct sim_guest *guests = mem_alloc(capacity, sizeof(*guests));
	for (size_t i = 0; i < hv->capacity; i++)
		if (hv->guests[i].name)
			*slot_of(guests, capacity, hv->guests[i].name) = hv->guests[i];
	free(hv->guests);
	hv->guests = guests;
	hv->capacity = capacity;
}

/* With the lock held; NULL and ERR_NOT_FOUND when there is none. */
static struct sim_guest *find(struct hypervisor *hv, const char *name, struct error *err)
{
	struct sim_guest *guest = slot_of(hv->guests, hv->capacity, name);
	if (guest->name)
		return guest;
	err_set(err, ERR_NOT_FOUND, "no simulated guest %s", name);
	return NULL;
}

static int sim_open(const struct hypervisor_config *config, struct hypervisor **ret, struct error *err)
{
	struct hypervisor *hv = mem_new(struct hypervisor);
	int rc = events_new(config->event, config->event_context, &hv->events, err);
	if (rc < 0) {
		free(hv);
		return rc;
	}
	pthread_mutex_init(&hv->lock, NULL);
	grow(hv);
	*ret = hv;
	return 0;
}

static void sim_close(struct hypervisor *hv)
{
	if (!hv)
		return;
	events_free(hv->events);
	for (size_t i = 0; i < hv->capacity; i++) {
		free(hv->guests[i].name);
		free(hv->guests[i].inside.hostname);
	}
	free(hv->guests);
	pthread_mutex_destroy(&hv->lock);
	free(hv);
}

static int sim_define(struct hypervisor *hv, const struct guest_spec *spec, struct error *err)
{
	(void)err;
	pthread_mutex_lock(&hv->lock);
	if (2 * hv->count >= hv->capacity)
		grow(hv);
	struct sim_guest *guest = slot_of(hv->guests, hv->capacity, spec->name);
	if (!guest->name) {
		guest->name = mem_strdup(spec->name);
		hv->count++;
	}
	free(guest->inside.hostname);
	guest->inside.hostname = mem_strdup(spec->hostname);
	guest->inside.ram_bytes = spec->ram_bytes;
	pthread_mutex_unlock(&hv->lock);
	return 0;
}

/* Taking a guest out of an open-addressing table moves those behind it. */
static void take_out(struct hypervisor *hv, struct sim_guest *gone)
{
	free(gone->name);
	free(gone->inside.hostname);
	*gone = (struct sim_guest){0};
	hv->count--;
	for (size_t at = (size_t)(gone - hv->guests + 1) & (hv->capacity - 1); hv->guests[at].name;
		at = (at + 1) & (hv->capacity - 1)) {
		struct sim_guest moved = hv->guests[at];
		hv->guests[at] = (struct sim_guest){0};
		*slot_of(hv->guests, hv->capacity, moved.name) = moved;
	}
}

static int sim_undefine(struct hypervisor *hv, const char *name, struct error *err)
{
	pthread_mutex_lock(&hv->lock);
	struct sim_guest *guest = slot_of(hv->guests, hv->capacity, name);
	bool runs = guest->name && guest->state != GUEST_STOPPED;
	if (guest->name && !runs)
		take_out(hv, guest);
	pthread_mutex_unlock(&hv->lock);
	return runs ? err_set(err, ERR_RUNNING, "simulated guest %s still runs", name) : 0;
}

static int set_state(struct hypervisor *hv, const char *name, enum guest_state state, struct error *err)
{
	pthread_mutex_lock(&hv->lock);
	struct sim_guest *guest = find(hv, name, err);
	bool changed = guest && guest->state != state;
	if (changed) {
		guest->state = state;
		guest->started_ms = clock_monotonic_ms();
		events_add(hv->events, name,
			state); /* with the lock held: events keep the order of the changes */
	}
	pthread_mutex_unlock(&hv->lock);
	return guest ? 0 : -ERR_NOT_FOUND;
}

static int sim_start(struct hypervisor *hv, const char *name, struct error *err)
{
	return set_state(hv, name, GUEST_RUNNING, err);
}

static int sim_stop(struct hypervisor *hv, const char *name, int timeout_ms, struct error *err)
{
	(void)timeout_ms;
	return set_state(hv, name, GUEST_STOPPED, err);
}

static int sim_kill(struct hypervisor *hv, const char *name, struct error *err)
{
	return set_state(hv, name, GUEST_STOPPED, err);
}

static int sim_state(struct hypervisor *hv, const char *name, enum guest_state *ret, struct error *err)
{
	pthread_mutex_lock(&hv->lock);
	struct sim_guest *guest = find(hv, name, err);
	if (guest)
		*ret = guest->state;
	pthread_mutex_unlock(&hv->lock);
	return guest ? 0 : -ERR_NOT_FOUND;
}

struct listed {
	char *name;
	enum guest_state state;
};

/* A copy, so that FOUND may ask for more. */
static struct listed *copy_list(struct hypervisor *hv, size_t *ret_count)
{
	size_t count = 0;
	pthread_mutex_lock(&hv->lock);
	struct listed *list = mem_alloc(hv->count + 1, sizeof(*list));
	for (size_t i = 0; i < hv->capacity; i++)
		if (hv->guests[i].name)
			list[count++] = (struct listed){mem_strdup(hv->guests[i].name), hv->guests[i].state};
	pthread_mutex_unlock(&hv->lock);
	*ret_count = count;
	return list;
}

static int sim_list(struct hypervisor *hv,
	void (*found)(void *context, const char *name, enum guest_state state), void *context,
	struct error *err)
{
	size_t count;
	(void)err;
	struct listed *list = copy_list(hv, &count);
	for (size_t i = 0; i < count; i++) {
		found(context, list[i].name, list[i].state);
		free(list[i].name);
	}
	free(list);
	return 0;
}

/* With the lock held; NULL and an error when it does not run. */
static struct sim_guest *find_running(struct hypervisor *hv, const char *name, struct error *err, int *ret_rc)
{
	struct sim_guest *guest = find(hv, name, err);
	*ret_rc = guest ? 0 : -ERR_NOT_FOUND;
	if (!guest || guest->state == GUEST_RUNNING)
		return guest;
	*ret_rc = err_set(err, ERR_NOT_RUNNING, "simulated guest %s is stopped", name);
	return NULL;
}

static int sim_usage(struct hypervisor *hv, const char *name, struct guest_usage *ret, struct error *err)
{
	int rc;
	pthread_mutex_lock(&hv->lock);
	struct sim_guest *guest = find_running(hv, name, err, &rc);
	if (guest) {
		int64_t up_ms = clock_monotonic_ms() - guest->started_ms;
		*ret = (struct guest_usage){.cpu_time_ns = up_ms * 10000,
			.memory_bytes = guest->inside.ram_bytes / 4,
			.kernel_memory_bytes = guest->inside.ram_bytes / 64,
			.process_count = 12,
			.disk_read_bytes = up_ms * 128,
			.disk_write_bytes = up_ms * 64};
	}
	pthread_mutex_unlock(&hv->lock);
	return rc;
}

/* Moves what WHOLE holds into RESULT, cut at the maximum. */
static void set_output(struct exec_result *result, const struct buffer *whole)
{
	size_t max = result->output.max_len ? result->output.max_len : BUFFER_DEFAULT_MAX;
	result->truncated = whole->len > max;
	buffer_add(&result->output, whole->data, result->truncated ? max : whole->len);
}

static int sim_exec(struct hypervisor *hv, const char *name, const struct exec_request *request,
	struct exec_result *result, struct error *err)
{
	int rc;
	owned_in(buffer_done) struct buffer whole = BUFFER_INIT(0);
	*result = (struct exec_result){.output = BUFFER_INIT(request->max_output)};
	pthread_mutex_lock(&hv->lock);
	struct sim_guest *guest = find_running(hv, name, err, &rc);
	if (guest) {
		guest->inside.up_s = (clock_monotonic_ms() - guest->started_ms) / 1000;
		result->exit_status = sim_program_run(&guest->inside, request, &whole);
	}
	pthread_mutex_unlock(&hv->lock);
	if (request->detached)
		result->exit_status = 0;
	else
		set_output(result, &whole);
	return rc;
}

static int sim_screenshot(
	struct hypervisor *hv, const char *name, int timeout_ms, struct buffer *png, struct error *err)
{
	/* One black pixel. */
	static const unsigned char pixel[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 'I',
		'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10,
		'I', 'D', 'A', 'T', 0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1, 0x48, 0xaf, 0xa4, 0x71, 0, 0, 0,
		0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
	int rc;
	(void)timeout_ms;
	pthread_mutex_lock(&hv->lock);
	find_running(hv, name, err, &rc);
	pthread_mutex_unlock(&hv->lock);
	if (rc == 0)
		buffer_add(png, pixel, sizeof(pixel));
	return rc;
}

static int sim_probe(struct hypervisor *hv, char *says, size_t size, struct error *err)
{
	(void)hv, (void)err;
	text_copy(says, size, "simulated: guests exist in memory only");
	return 0;
}

const struct hypervisor_ops hypervisor_sim = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.define = sim_define,
	.undefine = sim_undefine,
	.start = sim_start,
	.stop = sim_stop,
	.kill = sim_kill,
	.state = sim_state,
	.list = sim_list,
	.usage = sim_usage,
	.exec = sim_exec,
	.screenshot = sim_screenshot,
	.probe = sim_probe,
};
