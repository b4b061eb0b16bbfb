# shellcheck shell=bash
# How quickstart speaks: a line a step, with a clock while it runs; a failed step says what failed, why, and what to do.

step_pid= step_number=0
shopt -s checkwinsize

heading() {
	printf '\n%s\n' "$*"
}

# Ends the run. WHAT failed, what to DO; the log of the step says why.
fail() {
	local what=$1 advice=$2 log=${3-}
	{
		printf '\nFAILED: %s\n' "$what"
		if [ -n "$log" ] && [ -s "$log" ]; then
			printf '\n  Why (the last lines of %s):\n' "$log"
			tail -n 12 "$log" | tr '\r' '\n' | sed 's/^/    /'
		fi
		printf '\n  What to do: %s\n' "$advice"
		printf '  Then run %s again: it goes on where it stopped.\n' "$own_command"
	} >&2
	exit 1
}

seconds_since() {
	echo $((SECONDS - $1))
}

# What a running step is at: on a terminal one line that changes, in a log a line every quarter of a minute.
show_running() { # TITLE STARTED LOG
	local now
	now=$(seconds_since "$2")
	if [ -t 1 ]; then
		local last width=$((${COLUMNS:-80} - ${#1} - 16))
		last=$(tail -n 1 "$3" | tr '\r\t' '\n ' | tail -n 1)
		[ "$width" -gt 0 ] || width=0
		printf '\r\033[K  ...  %s  %s s  %s' "$1" "$now" "${last:0:$width}"
	elif [ "$now" -gt 0 ] && [ $((now % 15)) -eq 0 ] && [ "$now" != "$shown_at" ]; then
		printf '  ...  %s: %s s\n' "$1" "$now"
	fi
	shown_at=$now
}

show_done() { # TITLE STARTED
	local took
	took=$(seconds_since "$2")
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$took" -gt 1 ]; then
		printf '  ok   %s (%s s)\n' "$1" "$took"
	else
		printf '  ok   %s\n' "$1"
	fi
}

# step TITLE ADVICE COMMAND...: runs it with its output in a log of its own. The command runs in a subshell.
step() {
	local title=$1 advice=$2 started=$SECONDS log shown_at=
	shift 2
	step_number=$((step_number + 1))
	log=$logs/$(printf %02d "$step_number")-${1##*/}.log
	# In a process group of its own, so that an interruption ends all of it.
	set -m
	(set +m; "$@") >"$log" 2>&1 </dev/null &
	step_pid=$!
	set +m
	while kill -0 "$step_pid" 2>/dev/null; do
		show_running "$title" "$started" "$log"
		sleep 0.1
	done
	if ! wait "$step_pid"; then
		step_pid=
		[ ! -t 1 ] || printf '\r\033[K'
		fail "$title" "$advice" "$log"
	fi
	step_pid=
	show_done "$title" "$started"
}

# step_shown TITLE ADVICE COMMAND...: for a command that shows its own progress on standard error. Its answer is in $answer.
step_shown() {
	local title=$1 advice=$2 started=$SECONDS
	shift 2
	step_number=$((step_number + 1))
	[ -t 2 ] || printf '  ...  %s\n' "$title"
	if ! answer=$("$@" </dev/null); then
		[ ! -s "$moad_log" ] || printf '\n  The last lines of %s:\n%s\n' "$moad_log" "$(tail -n 6 "$moad_log" | sed 's/^/    /')" >&2
		fail "$title" "$advice"
	fi
	show_done "$title" "$started"
}

# wait_for SECONDS COMMAND...: asks again and again until it succeeds. Fails at the end of the time.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

interrupted() {
	[ -z "$step_pid" ] || kill -TERM -- "-$step_pid" 2>/dev/null
	printf '\n\nInterrupted. Run %s again: it goes on where it stopped.\n' "$own_command" >&2
	exit 130
}
