#include "hypervisor/ovz/watch.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { WAKE_ID = 0, BUCKETS = 256 };

struct entry {
	struct entry *next;
	char *name;
	uint64_t id; /* what epoll says; an entry is never mistaken for a later one of the same name */
	pid_t monitor;
	int pidfd;
	bool announce; /* RUNNING is still to be sent */
};

struct watch {
	hypervisor_event *event;
	void *context;
	int epoll_fd, wake_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t gone;
	struct entry *buckets[BUCKETS];
	uint64_t last_id;
	bool stopping;
};

static struct entry **bucket_of(struct watch *watch, const char *name)
{
	unsigned hash = 5381;
	for (const char *c = name; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	return &watch->buckets[hash % BUCKETS];
}

static void entry_free(struct entry *entry)
{
	if (!entry)
		return;
	close(entry->pidfd);
	free(entry->name);
	free(entry);
}

/* The link that points to the entry of NAME, or to NULL. */
static struct entry **find(struct watch *watch, const char *name)
{
	struct entry **link = bucket_of(watch, name);
	while (*link && !text_equal((*link)->name, name))
		link = &(*link)->next;
	return link;
}

/* Takes out the first entry that CHOSEN accepts. */
static struct entry *take_out(struct watch *watch, bool (*chosen)(struct entry *, uint64_t), uint64_t id)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry **link = &watch->buckets[i]; *link; link = &(*link)->next) {
			struct entry *entry = *link;
			if (!chosen(entry, id))
				continue;
			*link = entry->next;
			return entry;
		}
	}
	return NULL;
}

static bool has_id(struct entry *entry, uint64_t id)
{
	return entry->id == id;
}

static bool is_any(struct entry *entry, uint64_t id)
{
	(void)entry, (void)id;
	return true;
}

static void tell(struct watch *watch, const char *name, enum guest_state state)
{
	if (watch->event)
		watch->event(watch->context, name, state);
}

/* Sends RUNNING for every entry that waits for it. */
static void announce_all(struct watch *watch)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (;;) {
			owned_mem char *name = NULL;
			pthread_mutex_lock(&watch->lock);
			struct entry *entry = watch->buckets[i];
			while (entry && !entry->announce)
				entry = entry->next;
			if (entry) {
				entry->announce = false;
				name = mem_strdup(entry->name);
			}
			pthread_mutex_unlock(&watch->lock);
			if (!name)
				break;
			tell(watch, name, GUEST_RUNNING);
		}
	}
}

static void end_of(struct watch *watch, uint64_t id)
{
	pthread_mutex_lock(&watch->lock);
	struct entry *entry = take_out(watch, has_id, id);
	pthread_cond_broadcast(&watch->gone);
	pthread_mutex_unlock(&watch->lock);
	if (!entry)
		return;
	tell(watch, entry->name, GUEST_STOPPED);
	entry_free(entry);
}

static bool is_stopping(struct watch *watch)
{
	uint64_t count;
	ssize_t got = read(watch->wake_fd, &count, sizeof(count));
	(void)got;
	pthread_mutex_lock(&watch->lock);
	bool stopping = watch->stopping;
	pthread_mutex_unlock(&watch->lock);
	return stopping;
}

static void *run(void *argument)
{
	struct watch *watch = argument;
	struct epoll_event events[16];
	for (;;) {
		int count = epoll_wait(watch->epoll_fd, events, ARRAY_LEN(events), -1);
		if (is_stopping(watch))
			return NULL;
		announce_all(watch);
		for (int i = 0; i < count; i++)
			if (events[i].data.u64 != WAKE_ID)
				end_of(watch, events[i].data.u64);
	}
}

static int epoll_add(struct watch *watch, int fd, uint64_t id, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = id};
	if (epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_errno(err, errno, "watching a process");
	return 0;
}

static void wake(struct watch *watch)
{
	uint64_t one = 1;
	ssize_t written = write(watch->wake_fd, &one, sizeof(one));
	(void)written; /* a full counter wakes as well */
}

static void release(struct watch *watch)
{
	for (struct entry *entry; (entry = take_out(watch, is_any, 0));)
		entry_free(entry);
	fd_close_owned(&watch->wake_fd);
	fd_close_owned(&watch->epoll_fd);
	pthread_cond_destroy(&watch->gone);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static int start_thread(struct watch *watch, struct error *err)
{
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->epoll_fd < 0 || watch->wake_fd < 0)
		return err_errno(err, errno, "watching containers");
	int rc = epoll_add(watch, watch->wake_fd, WAKE_ID, err);
	if (rc < 0)
		return rc;
	rc = pthread_create(&watch->thread, NULL, run, watch);
	return rc ? err_errno(err, rc, "thread for containers") : 0;
}

int watch_new(hypervisor_event *event, void *context, struct watch **ret, struct error *err)
{
	struct watch *watch = mem_new(struct watch);
	pthread_condattr_t attributes;
	watch->event = event;
	watch->context = context;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->gone, &attributes);
	pthread_condattr_destroy(&attributes);
	int rc = start_thread(watch, err);
	if (rc < 0) {
		release(watch);
		return rc;
	}
	*ret = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->stopping = true;
	pthread_mutex_unlock(&watch->lock);
	wake(watch);
	pthread_join(watch->thread, NULL);
	release(watch);
}

int watch_add(
	struct watch *watch, const char *name, pid_t monitor, int pidfd, bool announce, struct error *err)
{
	struct entry *entry = mem_new(struct entry);
	*entry = (struct entry){
		.name = mem_strdup(name), .monitor = monitor, .pidfd = pidfd, .announce = announce};
	pthread_mutex_lock(&watch->lock);
	entry->id = ++watch->last_id;
	struct entry **link = find(watch, name), *old = *link;
	int rc = epoll_add(watch, pidfd, entry->id, err);
	if (rc == 0) {
		entry->next = old ? old->next : NULL;
		*link = entry;
	}
	pthread_mutex_unlock(&watch->lock);
	if (rc < 0) {
		entry_free(entry);
		return rc;
	}
	entry_free(old);
	wake(watch);
	return 0;
}

pid_t watch_monitor(struct watch *watch, const char *name)
{
	pthread_mutex_lock(&watch->lock);
	struct entry *entry = *find(watch, name);
	pid_t monitor = entry ? entry->monitor : 0;
	pthread_mutex_unlock(&watch->lock);
	return monitor;
}

static struct timespec deadline_after(int timeout_ms)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += timeout_ms / 1000;
	deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (deadline.tv_nsec >= 1000000000L) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000L;
	}
	return deadline;
}

bool watch_wait_gone(struct watch *watch, const char *name, int timeout_ms)
{
	struct timespec deadline = deadline_after(timeout_ms > 0 ? timeout_ms : 0);
	bool gone;
	int rc = 0;
	pthread_mutex_lock(&watch->lock);
	while (!(gone = !*find(watch, name)) && rc == 0)
		rc = pthread_cond_timedwait(&watch->gone, &watch->lock, &deadline);
	pthread_mutex_unlock(&watch->lock);
	return gone;
}

char **watch_names(struct watch *watch)
{
	size_t count = 0;
	char **names = NULL;
	pthread_mutex_lock(&watch->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *entry = watch->buckets[i]; entry; entry = entry->next) {
			names = mem_resize(names, count + 1, sizeof(*names));
			names[count++] = mem_strdup(entry->name);
		}
	}
	pthread_mutex_unlock(&watch->lock);
	names = mem_resize(names, count + 1, sizeof(*names));
	names[count] = NULL;
	return names;
}
