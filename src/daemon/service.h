/* The two conversations with whoever started this process, as systemd holds them: sockets passed by name
 * (sd_listen_fds(3)) and the word that it is ready (sd_notify(3)). Both are a few lines; libsystemd would
 * cost each process a megabyte. */
#pragma once

/* The descriptor passed under NAME, or -1. */
int service_socket(const char *name);
/* Tells systemd through NOTIFY_SOCKET, or the supervisor through its pipe (READY_FD_ENV); neither is fine. */
void service_ready(void);
#define READY_FD_ENV "MOAD_READY_FD"
