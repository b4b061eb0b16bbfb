#!/bin/bash
# template-build must not be able to change the host it runs on: its functions are loaded, the host is protected as for a
# build, and then writing to it, and dpkg on it, must fail.
set -u
script=$1
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
unshare --mount true 2>/dev/null || { echo "SKIP: no mount namespaces"; exit 77; }
base=$(mktemp -d /tmp/moa-guard-XXXXXX)
trap 'rm -rf "$base"' EXIT
mkdir "$base/out"
sed '/^# mmdebstrap calls back here/,$d' "$script" >"$base/functions"
cat >>"$base/functions" <<'END'
protect_host
for place in / /etc /usr /var/lib/dpkg /tmp; do
	if (: >"$place/moa-guard-probe") 2>/dev/null; then
		rm -f "$place/moa-guard-probe"
		fail "$place could be written to"
	fi
done
if [ -x /usr/bin/dpkg ] && dpkg --configure -a 2>/dev/null; then
	fail "dpkg could change the host"
fi
: >"$out/probe" || fail "the output folder cannot be written to"
END
out=$base/out unshare --mount --propagation private bash "$base/functions" || exit 1
[ -e "$base/out/probe" ] || exit 1
: >"$base/still-writable" || exit 1
