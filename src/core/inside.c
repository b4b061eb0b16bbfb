/* What is asked of a running guest: programs run inside it, and its live figures. The guest is hostile:
 * everything is bounded. */
#include "core/inner.h"
#include "base/log.h"
#include "base/memory.h"
#include <sodium.h>

enum {
	LIVE_TIMEOUT_MS = 5000,
	SCREENSHOT_TIMEOUT_MS = 4000,
	PROGRAM_TIMEOUT_MS = 30000,
	LIVE_OUTPUT_MAX = 16 << 10,
	PNG_MAX = 4 << 20
};

static int exec_running(struct guest *guest, const struct exec_request *request, struct exec_result *result,
	struct error *err)
{
	bool running = false;
	int rc = guest_is_running(guest, &running, err);
	if (rc == -ERR_NOT_FOUND || (rc == 0 && !running))
		return err_set(err, ERR_NOT_RUNNING, "VPS %lld is stopped", (long long)guest->vps.veid);
	return rc < 0 ? rc : guest->ops->exec(guest->hv, guest->name, request, result, err);
}

int host_exec(struct host *host, int64_t veid, const struct exec_request *request, struct exec_result *result,
	struct error *err)
{
	*result = (struct exec_result){.output = BUFFER_INIT(0)};
	owned_in(guest_done) struct guest guest;
	int rc = guest_load(host, veid, &guest, err);
	return rc < 0 ? rc : exec_running(&guest, request, result, err);
}

/* Runs a program of ours; anything but exit 0 is an error. */
static int run_program(struct guest *guest, struct exec_request *request, const char *what, struct error *err)
{
	owned_in(exec_result_done) struct exec_result result = {.output = BUFFER_INIT(0)};
	if (!request->timeout_ms)
		request->timeout_ms = PROGRAM_TIMEOUT_MS;
	int rc = exec_running(guest, request, &result, err);
	if (rc < 0)
		return rc;
	if (result.timed_out)
		return err_set(
			err, ERR_TIMEOUT, "%s did not end inside VPS %lld", what, (long long)guest->vps.veid);
	if (result.exit_status)
		return err_say(err, ERR_UNSUPPORTED, "The system inside the VPS refused: %s failed", what);
	return 0;
}

int host_set_password(struct host *host, int64_t veid, const char *password, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = guest_lock(host, veid, false, &guest, err);
	if (rc < 0)
		return rc;
	struct exec_request request;
	guest_password_request(password, &guest.arena, &request);
	return run_program(&guest, &request, "setting the password", err);
}

int host_set_hostname(struct host *host, int64_t veid, const char *hostname, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = guest_lock(host, veid, false, &guest, err);
	if (rc < 0)
		return rc;
	guest.vps.hostname = hostname;
	struct exec_request request;
	guest_hostname_request(hostname, &guest.arena, &request);
	rc = run_program(&guest, &request, "setting the host name", err);
	/* Of a stopped guest only the recorded name changes: what its own system says is in its files, unless
	 * it never ran. */
	return rc == -ERR_NOT_RUNNING ? 0 : rc;
}

/* ---- live figures ---- */

static void ask_inside(struct guest *guest, struct arena *arena, struct host_live *ret)
{
	struct error err;
	struct exec_request request;
	owned_in(exec_result_done) struct exec_result result = {.output = BUFFER_INIT(0)};
	guest_live_request(&guest->arena, &request);
	request.timeout_ms = LIVE_TIMEOUT_MS;
	request.max_output = LIVE_OUTPUT_MAX;
	if (guest->ops->exec(guest->hv, guest->name, &request, &result, &err) < 0)
		log_debug("VPS %lld tells nothing: %s", (long long)guest->vps.veid, err.message);
	guest_live_parse(
		result.output.data ? result.output.data : "", result.output.len, arena, &ret->inside);
}

static void take_screenshot(struct guest *guest, struct arena *arena, struct host_live *ret)
{
	struct error err;
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(PNG_MAX);
	if (guest->ops->screenshot(guest->hv, guest->name, SCREENSHOT_TIMEOUT_MS, &png, &err) < 0) {
		log_debug("no screenshot of VPS %lld: %s", (long long)guest->vps.veid, err.message);
		return;
	}
	size_t size = sodium_base64_ENCODED_LEN(png.len, sodium_base64_VARIANT_ORIGINAL);
	char *text = arena_alloc(arena, size);
	sodium_bin2base64(
		text, size, (const unsigned char *)png.data, png.len, sodium_base64_VARIANT_ORIGINAL);
	ret->screenshot_base64 = text;
}

static void measure_disk(struct guest *guest, struct host_live *ret)
{
	if (guest->host->config.simulated)
		return;
	disk_used(guest->host->pool, guest->vps.veid, &ret->disk_bytes, NULL);
	if (guest->vps.type == VPS_OVZ && ret->state != GUEST_STOPPED)
		disk_mounted_usage(guest->host->pool, guest->vps.veid, &ret->disk, NULL);
}

int host_live(struct host *host, int64_t veid, bool screenshot, struct arena *arena, struct host_live *ret,
	struct error *err)
{
	*ret = (struct host_live){.screenshot_base64 = ""};
	owned_in(guest_done) struct guest guest;
	int rc = guest_load(host, veid, &guest, err);
	if (rc < 0)
		return rc;
	rc = guest.ops->state(guest.hv, guest.name, &ret->state, err);
	if (rc < 0 && rc != -ERR_NOT_FOUND)
		return rc;
	measure_disk(&guest, ret);
	guest_live_parse("", 0, arena, &ret->inside);
	if (ret->state == GUEST_STOPPED)
		return 0;
	guest.ops->usage(guest.hv, guest.name, &ret->usage, NULL);
	ask_inside(&guest, arena, ret);
	if (screenshot)
		take_screenshot(&guest, arena, ret);
	/* A system that runs but does not answer yet is on its way up. */
	if (!ret->inside.load_average[0])
		ret->state = GUEST_STARTING;
	return 0;
}
