/* A deny list, so that distributions boot unchanged. What user namespaces already forbid is listed again: a
 * hole in a capability check must not be enough. ENOSYS (38) is given where programs then take another way
 * without complaint. */
#include "hypervisor/ovz/seccomp.h"

const char seccomp_profile[] = "2\n"
			       "denylist\n"
			       "reject_force_umount\n"
			       "[all]\n"
			       /* another kernel, or code in this one */
			       "kexec_load errno 1\n"
			       "kexec_file_load errno 1\n"
			       "init_module errno 1\n"
			       "finit_module errno 1\n"
			       "delete_module errno 1\n"
			       "bpf errno 1\n"
			       /* handles name files of the host's side of a mount */
			       "open_by_handle_at errno 1\n"
			       /* the host's log, accounting, swap and quota */
			       "syslog errno 1\n"
			       "acct errno 1\n"
			       "swapon errno 1\n"
			       "swapoff errno 1\n"
			       "quotactl errno 1\n"
			       "quotactl_fd errno 1\n"
			       /* wide doors of past holes */
			       "perf_event_open errno 1\n"
			       "userfaultfd errno 1\n"
			       "io_uring_setup errno 38\n"
			       "io_uring_enter errno 38\n"
			       "io_uring_register errno 38\n"
			       /* key rings: kernel memory that outlives its owner */
			       "add_key errno 38\n"
			       "request_key errno 38\n"
			       "keyctl errno 38\n";
