/* The folders Moa lives in, and whose they are: the api's user gets the store and the certificates, nothing
 * else. */
#include "daemon/app.h"
#include "base/fd.h"
#include "base/text.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

int api_user(struct app *app, unsigned *ret_uid, unsigned *ret_gid, struct error *err)
{
	*ret_uid = geteuid();
	*ret_gid = getegid();
	if (geteuid() != 0)
		return 0;
	struct passwd entry, *found = NULL;
	char text[4096];
	if (getpwnam_r(app->config->moad_user, &entry, text, sizeof(text), &found) != 0 || !found)
		return err_say(err, ERR_NOT_FOUND, "there is no user %s: make it with: useradd --system %s",
			app->config->moad_user, app->config->moad_user);
	*ret_uid = entry.pw_uid;
	*ret_gid = entry.pw_gid;
	return 0;
}

static int make_owned(const char *path, mode_t mode, unsigned uid, unsigned gid, struct error *err)
{
	int rc = dir_make(path, 0755, err);
	if (rc < 0)
		return rc;
	if (chmod(path, mode) < 0 || chown(path, uid, gid) < 0)
		return err_errno(err, errno, "owner of %s", path);
	return 0;
}

int folders_make(struct app *app, struct error *err)
{
	struct config *config = app->config;
	unsigned uid, gid;
	int rc = api_user(app, &uid, &gid, err);
	if (rc == 0)
		rc = make_owned(config->moad_state_dir, 0711, geteuid(), getegid(), err);
	if (rc == 0)
		rc = make_owned(config_path(config, "%s/store", config->moad_state_dir), 0700, uid, gid, err);
	if (rc == 0)
		rc = make_owned(config_path(config, "%s/tls", config->moad_state_dir), 0700, uid, gid, err);
	if (rc == 0)
		rc = make_owned(config->moad_run_dir, 0711, geteuid(), getegid(), err);
	return rc;
}
