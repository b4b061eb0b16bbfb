/* A back end put together by hand around a container that is only a folder of files and a sleeping child. */
#pragma once
#include "check.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/ovz.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MODEL_NAME "moa-1"

struct model {
	struct hypervisor hv;
	char root[64];
	pid_t child;
};

static inline void model_put(struct model *model, const char *dir, const char *file, const char *text)
{
	char path[300];
	text_format(path, sizeof(path), "%s/%s", model->root, dir);
	assert_int_equal(dir_make(path, 0700, NULL), 0);
	text_format(path, sizeof(path), "%s/%s/%s", model->root, dir, file);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0700, NULL), 0);
}

static inline int model_setup(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	struct error err = {0};
	text_copy(model->root, sizeof(model->root), "/tmp/moa-ovz-XXXXXX");
	if (!mkdtemp(model->root) || watch_new(NULL, NULL, &model->hv.watch, &err) < 0)
		return -1;
	model->hv.state_dir = model->hv.run_dir = model->root;
	model->hv.name_prefix = (char *)"moa-";
	for (int i = 0; i < CGROUP_COUNT; i++) {
		model->hv.cgroups.has[i] = true;
		text_copy(model->hv.cgroups.dir[i], CGROUP_PATH_MAX, model->root);
	}
	model->child = fork();
	if (model->child == 0) {
		pause();
		_exit(0);
	}
	int pidfd = (int)syscall(SYS_pidfd_open, model->child, 0);
	*state = model;
	return watch_add(model->hv.watch, MODEL_NAME, model->child, pidfd, false, &err);
}

static inline int model_teardown(void **state)
{
	struct model *model = *state;
	kill(model->child, SIGKILL);
	waitpid(model->child, NULL, 0);
	watch_free(model->hv.watch);
	dir_remove_tree(model->root, NULL);
	free(model);
	return 0;
}
