/* The small programs run inside guests: shell texts that work in dash, bash and busybox. What varies goes in
 * as an argument or on standard input, never into the text, so nothing has to be quoted. */
#include "guest/guest.h"
#include "base/memory.h"
#include <string.h>

enum { PATH_ARGUMENT_MAX = 4096, SHORT_OUTPUT = 4096, HOST_NAME_LEN = 64 };

#define PATHS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Up to three arguments behind the program. */
static void request_make(struct arena *arena, struct exec_request *ret, const char *program,
	const char *const *args, size_t count)
{
	const char **argv = arena_array(arena, count + 5, const char *);
	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = program;
	argv[3] = "sh";
	for (size_t i = 0; i < count; i++)
		argv[4 + i] = args[i];
	*ret = (struct exec_request){.argv = argv, .timeout_ms = 10000, .max_output = SHORT_OUTPUT};
}

static void request_input(struct arena *arena, struct exec_request *request, const char *text)
{
	request->input_len = strlen(text);
	request->input = arena_strndup(arena, text, request->input_len);
}

void guest_password_request(const char *password, struct arena *arena, struct exec_request *ret)
{
	request_make(arena, ret, "PATH=" PATHS "; export PATH; exec chpasswd", NULL, 0);
	request_input(arena, ret, arena_printf(arena, "root:%s\n", password));
}

/* A file is replaced by renaming; where that cannot be (a file mounted on its own), it is written in place.
 * cloud-init would put back the first name at the next boot, so it is told not to. The kernel takes 64 bytes
 * of a name. */
static const char hostname_program[] =
	"PATH=" PATHS "; export PATH; umask 022\n"
	"running=$1 full=$2 status=0\n"
	"put() {\n"
	"	new=$1.moa-new; rm -f \"$new\"\n"
	"	cat >\"$new\" && chmod 644 \"$new\" || { rm -f \"$new\"; return 1; }\n"
	"	mv -f \"$new\" \"$1\" 2>/dev/null && return 0\n"
	"	cat \"$new\" >\"$1\" && rm -f \"$new\"\n"
	"}\n"
	"line=\"127.0.1.1 $full\"\n"
	"[ \"$running\" = \"$full\" ] || line=\"$line $running\"\n"
	"short=${full%%.*}\n"
	"[ \"$short\" = \"$full\" ] || [ \"$short\" = \"$running\" ] || line=\"$line $short\"\n"
	"hosts() {\n"
	"	set -f; IFS=' \t'; found=\n"
	"	[ ! -f /etc/hosts ] || while IFS= read -r old || [ -n \"$old\" ]; do\n"
	"		case $old in\n"
	"		'127.0.1.1 '* | '127.0.1.1\t'*)\n"
	"			[ -n \"$found\" ] || printf '%s\\n' \"$line\"; found=1 ;;\n"
	"		*) printf '%s\\n' \"$old\" ;;\n"
	"		esac\n"
	"	done </etc/hosts\n"
	"	[ -n \"$found\" ] || printf '%s\\n' \"$line\"\n"
	"}\n"
	"if [ -d /etc/cloud ]; then\n"
	"	mkdir -p /etc/cloud/cloud.cfg.d\n"
	"	printf 'preserve_hostname: true\\nmanage_etc_hosts: false\\n' |\n"
	"		put /etc/cloud/cloud.cfg.d/99-moa-hostname.cfg || status=1\n"
	"fi\n"
	"printf '%s\\n' \"$running\" | put /etc/hostname || status=1\n"
	"hosts | put /etc/hosts || status=1\n"
	"hostname \"$running\" 2>/dev/null || printf '%s\\n' \"$running\" >/proc/sys/kernel/hostname || "
	"status=1\n"
	"exit $status\n";

/* A name too long for the kernel runs as its first label. */
void guest_hostname_request(const char *hostname, struct arena *arena, struct exec_request *ret)
{
	size_t len = strlen(hostname), running = len > HOST_NAME_LEN ? strcspn(hostname, ".") : len;
	const char *args[] = {arena_strndup(arena, hostname, running), arena_strdup(arena, hostname)};
	request_make(arena, ret, hostname_program, args, ARRAY_LEN(args));
}

/* A command may be longer than one argument can be, so it comes on standard input, whole, before it sees
 * /dev/null there. `shift` removes it from the arguments before its own text runs, in the same line, so that
 * line numbers in the shell's words are right. */
static const char shell_program[] =
	"PATH=" PATHS "; export PATH\n"
	"shell=$(command -v bash) || shell=/bin/sh\n"
	"exec env -i HOME=/root USER=root LOGNAME=root SHELL=\"$shell\" PATH=\"$PATH\" TERM=dumb "
	"LANG=C.UTF-8 "
	"\"$shell\" -c 'cd /root 2>/dev/null || cd /; "
	"set -- \"$(cat)\"; exec </dev/null; eval \"shift; $1\"' \"${shell##*/}\"\n";

void guest_shell_request(const char *command, struct arena *arena, struct exec_request *ret)
{
	request_make(arena, ret, shell_program, NULL, 0);
	request_input(arena, ret, command);
	ret->timeout_ms = 30000;
	ret->max_output = 1 << 20;
}

/* A leading "-" is a name like any other; "~" is root's home, as people type it. */
static const char cd_program[] = "unset CDPATH; HOME=/root\n"
				 "path() {\n"
				 "	case $1 in\n"
				 "	'' | '~') path=/root ;;\n"
				 "	'~/'*) path=/root/${1#'~/'} ;;\n"
				 "	-*) path=./$1 ;;\n"
				 "	*) path=$1 ;;\n"
				 "	esac\n"
				 "}\n"
				 "path \"$1\"; cd \"$path\" || exit\n"
				 "path \"$2\"; cd \"$path\" || exit\n"
				 "pwd\n";

/* Cut one byte past what a path may have, so that the shell says what is wrong with it. */
static const char *path_argument(const char *path, struct arena *arena)
{
	return arena_strndup(arena, path, strnlen(path, PATH_ARGUMENT_MAX + 1));
}

void guest_cd_request(
	const char *current_dir, const char *new_dir, struct arena *arena, struct exec_request *ret)
{
	const char *args[] = {path_argument(current_dir, arena), path_argument(new_dir, arena)};
	request_make(arena, ret, cd_program, args, ARRAY_LEN(args));
	ret->max_output = 2 * PATH_ARGUMENT_MAX;
}

/* The script lies beside its log until it has ended. One without a first line that names its interpreter runs
 * under the shell. The program ends when the script has been stored and started. */
static const char script_program[] =
	"PATH=" PATHS "; export PATH; umask 077\n"
	"log=$1 script=${1%.log}.sh\n"
	"case $log in */*) mkdir -p \"${log%/*}\" || exit ;; esac\n"
	"rm -f \"$script\" && cat >\"$script\" && chmod 700 \"$script\" && : >\"$log\" || exit\n"
	"shell=$(command -v bash) || shell=/bin/sh\n"
	"read -r first <\"$script\"\n"
	"case $first in '#!'*) shell= ;; esac\n"
	"session=$(command -v setsid)\n"
	"cd /root 2>/dev/null || cd /\n"
	"HOME=/root USER=root LOGNAME=root TERM=dumb LANG=C.UTF-8\n"
	"export HOME USER LOGNAME TERM LANG\n"
	"$session /bin/sh -c 'if [ -n \"$1\" ]; then \"$1\" \"$2\"; else \"$2\"; fi; rm -f \"$2\"' sh "
	"\"$shell\" "
	"\"$script\" </dev/null >\"$log\" 2>&1 &\n"
	"exit 0\n";

void guest_script_request(
	const char *script, const char *log_path, struct arena *arena, struct exec_request *ret)
{
	const char *args[] = {path_argument(log_path, arena)};
	request_make(arena, ret, script_program, args, ARRAY_LEN(args));
	request_input(arena, ret, script);
	ret->timeout_ms = 30000;
}

/* `cat` for what lies under /proc/sys: numbers there end after the first read, and a shell reads a byte at a
 * time. */
static const char live_program[] =
	"PATH=" PATHS "; export PATH\n"
	"say() { [ -r \"$2\" ] && line=$(cat \"$2\") && echo \"$1 $line\"; }\n"
	"{ say hostname /proc/sys/kernel/hostname; say load /proc/loadavg\n"
	"while read -r key value rest; do\n"
	"	case $key in MemTotal: | MemAvailable: | SwapTotal: | SwapFree:) echo \"$key $value\" ;; "
	"esac\n"
	"done </proc/meminfo\n"
	"say conntrack /proc/sys/net/netfilter/nf_conntrack_count; say files /proc/sys/fs/file-nr\n"
	"while read -r key name value rest; do\n"
	"	case $key in TCP:) echo \"tcp $value\" ;; esac\n"
	"done </proc/net/sockstat; } 2>/dev/null\n"
	"exit 0\n";

void guest_live_request(struct arena *arena, struct exec_request *ret)
{
	request_make(arena, ret, live_program, NULL, 0);
}
