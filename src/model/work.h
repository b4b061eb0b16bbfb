/* A piece of slow work as the store keeps it. While one is unfinished its VPS is locked (wire.md 4.2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum work_state {
	WORK_RUNNING, /* going forward, or waiting to */
	WORK_UNDOING, /* going back after a failed step */
	WORK_DONE,
	WORK_FAILED, /* undone; `error` says why */
};

struct work {
	int64_t id;
	int64_t node_id;
	int64_t veid;	  /* 0 for work of the node itself */
	const char *kind; /* "vps_create" */
	const char *args; /* JSON; no secrets but password hashes */
	enum work_state state;
	int64_t step; /* the step to do next (or to undo next) */
	int64_t percent;
	const char *title;   /* additionalErrorInfo: "OS Reinstall: debian-13-x86_64" */
	const char *message; /* friendly_progress_message */
	const char *error;   /* safe sentence once it failed, else "" */
	int64_t created_s, updated_s;
};

const char *work_state_name(enum work_state state); /* "running", "undoing", "done", "failed" */
bool work_state_from_name(const char *name, enum work_state *ret);
bool work_is_unfinished(enum work_state state);
