/* Fetches the console's picture on a thread of its own: a QEMU that hangs holds the request for as long as it
 * likes, and libvirt has no time limit for it. When the time is up the caller goes, and the thread cleans up
 * once it can. */
#include "hypervisor/kvm/screenshot.h"
#include "base/clock.h"
#include "base/memory.h"
#include "hypervisor/kvm/picture.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* Shared by the caller and the thread; the last of the two frees it. */
struct job {
	atomic_int references;
	virDomainPtr domain; /* owned */
	struct buffer raw;
	struct error err;
	int rc;
	bool done; /* under `lock`; the rest is the thread's until it is set */
	pthread_mutex_t lock;
	pthread_cond_t ended;
};

static void job_drop(struct job *job)
{
	if (atomic_fetch_sub(&job->references, 1) > 1)
		return;
	virDomainFree(job->domain);
	buffer_done(&job->raw);
	pthread_cond_destroy(&job->ended);
	pthread_mutex_destroy(&job->lock);
	free(job);
}
OWNED_DEFINE(struct job, job_drop);

static int read_stream(virStreamPtr stream, struct buffer *raw, struct error *err)
{
	char chunk[65536];
	int got;
	while ((got = virStreamRecv(stream, chunk, sizeof(chunk))) > 0) {
		buffer_add(raw, chunk, (size_t)got);
		if (raw->overflowed) {
			virStreamAbort(stream);
			return err_set(err, ERR_TOO_LARGE, "the console's picture is over %d bytes",
				PICTURE_RAW_MAX);
		}
	}
	if (got < 0 || virStreamFinish(stream) < 0)
		return virt_error(err, "read the console's picture");
	return 0;
}

static int fetch(virDomainPtr domain, struct buffer *raw, struct error *err)
{
	owned(virt_stream_free) virStreamPtr stream = virStreamNew(virDomainGetConnect(domain), 0);
	if (!stream)
		return virt_error(err, "open a stream");
	owned_mem char *type = virDomainScreenshot(domain, stream, 0, 0);
	if (!type)
		return virt_error(err, "take a picture of the console");
	return read_stream(stream, raw, err);
}

static void *run(void *opaque)
{
	struct job *job = opaque;
	int rc = fetch(job->domain, &job->raw, &job->err);
	pthread_mutex_lock(&job->lock);
	job->rc = rc;
	job->done = true;
	pthread_cond_signal(&job->ended);
	pthread_mutex_unlock(&job->lock);
	job_drop(job);
	return NULL;
}

static struct job *job_new(virDomainPtr domain)
{
	struct job *job = mem_new(struct job);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&job->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&job->lock, NULL);
	job->references = 1;
	job->domain = domain;
	job->raw = (struct buffer)BUFFER_INIT(PICTURE_RAW_MAX);
	return job;
}

static int start_job(struct job *job, struct error *err)
{
	pthread_t thread;
	atomic_fetch_add(&job->references, 1);
	int rc = pthread_create(&thread, NULL, run, job);
	if (rc) {
		job_drop(job);
		return err_errno(err, rc, "start a thread");
	}
	pthread_detach(thread);
	return 0;
}

static bool await_job(struct job *job, int timeout_ms)
{
	int64_t until_ms = clock_monotonic_ms() + timeout_ms;
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	pthread_mutex_lock(&job->lock);
	while (!job->done && pthread_cond_timedwait(&job->ended, &job->lock, &until) == 0)
		;
	bool done = job->done;
	pthread_mutex_unlock(&job->lock);
	return done;
}

int kvm_screenshot_take(struct virt_connections *connections, const char *name, int timeout_ms,
	struct buffer *png, struct error *err)
{
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	int rc = virt_connections_take(connections, LINK_WORK, 0, &lease, err);
	if (rc < 0)
		return rc;
	virDomainPtr domain = virDomainLookupByName(lease.conn, name);
	if (!domain)
		return virt_error(err, "find %s", name);
	owned(job_drop) struct job *job = job_new(domain);
	rc = start_job(job, err);
	if (rc < 0)
		return rc;
	if (!await_job(job, timeout_ms))
		return err_set(
			err, ERR_TIMEOUT, "%s: no picture of the console within %d ms", name, timeout_ms);
	if (job->rc < 0) {
		if (err)
			*err = job->err;
		return err_wrap(err, "%s", name);
	}
	return kvm_picture_to_png(job->raw.data, job->raw.len, png, err);
}
