/* Takes away from the api process what it never needs: programs, new processes, files outside its own folders
 * (Landlock), and system calls beyond its list (seccomp). A hole in parsing HTTP then has little to hold on
 * to. Entered before any thread starts. */
#include "daemon/app.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of ABI 1, which every kernel with Landlock has; 2 and 3 add REFER and TRUNCATE. */
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_MAKE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_OTHER \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_TRUNCATE (1ULL << 14)

static void allow_below(int ruleset, const char *path, __u64 access)
{
	owned_fd int folder = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = folder};
	if (folder < 0)
		return;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		log_warning("landlock: %s stays closed: errno %d", path, errno);
}

/* The folder of a file, for certificates an operator keeps elsewhere. */
static const char *folder_of(struct config *config, const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash != path ? config_path(config, "%.*s", (int)(slash - path), path) : "/";
}

static void allow_own(int ruleset, struct config *config, __u64 truncate)
{
	static const char *const readable[] = {"/etc", "/usr", "/lib", "/lib64", "/proc/self", "/proc/sys",
		"/sys/devices/system/cpu", "/run/systemd/resolve", "/dev/urandom"};
	for (size_t i = 0; i < ARRAY_LEN(readable); i++)
		allow_below(ruleset, readable[i],
			i == ARRAY_LEN(readable) - 1 ? LANDLOCK_ACCESS_FS_READ_FILE : FS_READ);
	allow_below(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
	allow_below(ruleset, folder_of(config, config->api_tls_cert), FS_READ | FS_MAKE | truncate);
	allow_below(ruleset, folder_of(config, config->api_tls_key), FS_READ | FS_MAKE | truncate);
	if (text_starts(config->moad_store, "sqlite:"))
		allow_below(ruleset, folder_of(config, config->moad_store + strlen("sqlite:")),
			FS_READ | FS_MAKE | truncate);
}

static void enter_landlock(struct config *config)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_warning("this kernel has no Landlock: the api process sees all files its user may see");
		return;
	}
	__u64 truncate = abi >= 3 ? FS_TRUNCATE : 0;
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = FS_READ | FS_MAKE | FS_OTHER | truncate};
	owned_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (ruleset < 0) {
		log_warning("landlock: errno %d", errno);
		return;
	}
	allow_own(ruleset, config, truncate);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		log_warning("landlock: errno %d", errno);
}

/* What a threaded server on sockets, SQLite and libpq needs; no exec, no fork, no mount, no ptrace, no keys.
 */
static const int allowed_calls[] = {SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(access), SCMP_SYS(bind),
	SCMP_SYS(brk), SCMP_SYS(chmod), SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(connect), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_create), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64), SCMP_SYS(fallocate), SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fcntl), SCMP_SYS(fdatasync), SCMP_SYS(flock),
	SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(futex),
	SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getpeername), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getrlimit),
	SCMP_SYS(getrusage), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday), SCMP_SYS(getuid), SCMP_SYS(ioctl), SCMP_SYS(linkat), SCMP_SYS(listen),
	SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(mkdir),
	SCMP_SYS(mlock), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munlock),
	SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(prctl), SCMP_SYS(pread64),
	SCMP_SYS(prlimit64), SCMP_SYS(pselect6), SCMP_SYS(pwrite64), SCMP_SYS(read), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(restart_syscall), SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(select),
	SCMP_SYS(sendfile), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack), SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(stat), SCMP_SYS(statfs),
	SCMP_SYS(statx), SCMP_SYS(sysinfo), SCMP_SYS(tgkill), SCMP_SYS(time), SCMP_SYS(times),
	SCMP_SYS(umask), SCMP_SYS(uname), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(write),
	SCMP_SYS(writev)};

static int fill_filter(scmp_filter_ctx filter)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(allowed_calls); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	/* Threads, but no processes: clone3 hides its flags in memory, so the C library is sent back to
	 * clone. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return rc;
}

static void enter_seccomp(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = filter ? fill_filter(filter) : -ENOMEM;
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		log_warning("seccomp: %s: the api process may use every system call", strerror(-rc));
	seccomp_release(filter);
}

void sandbox_enter(struct app *app)
{
	enter_landlock(app->config);
	enter_seccomp();
}
