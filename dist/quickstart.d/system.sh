# shellcheck shell=bash
# From a fresh system to a moad that answers: packages, build, user, settings, libvirtd, the daemon itself.

has_systemd() {
	[ -d /run/systemd/system ]
}

# ---- what this needs ----

# "debian 12", and whether the packages of dist/packages are known to hold for it.
read_system() {
	system_id=$(. /etc/os-release && echo "${ID-}")
	system_version=$(. /etc/os-release && echo "${VERSION_ID-}")
	case $system_id in
	debian) [ "${system_version%%.*}" -ge 12 ] 2>/dev/null ;;
	ubuntu) [ "${system_version%%.*}" -ge 24 ] 2>/dev/null ;;
	*) false ;;
	esac
}

# The template to build: what this machine's own package mirror has.
choose_template() {
	case $system_id in
	ubuntu) template=ubuntu-$system_version-x86_64 ;;
	*) template=debian-12-x86_64 ;;
	esac
}

print_needs() {
	cat >&2 <<-END

		This system ($system_id $system_version) is none quickstart knows: Debian 12 or newer, Ubuntu 24.04 or newer.
		Moa runs elsewhere too. It needs, to build:
		  a C compiler (gcc 11 or clang 14, or newer), Meson 1.0 or newer, Ninja, pkg-config, scdoc for the manual,
		  and these libraries with their headers: libmicrohttpd 0.9.75, GnuTLS 3.7, jansson 2.13, SQLite 3.38, libpq, libvirt 8.0,
		  liblxc 5.0, libnftables 1.0, libmnl, libarchive, libsodium, libcrypt, libcurl, libseccomp, inih, libpng.
		To run:
		  Linux 5.12 or newer with user namespaces, loop devices, XFS and nftables; libvirtd with its QEMU driver, qemu-system-x86_64,
		  qemu-img, mkfs.xfs, mke2fs, sfdisk, mmdebstrap with the archive keys of Debian or Ubuntu, setpriv, ip.
		For quickstart itself: bash, curl, jq.
		Install these, then run: $0 --no-packages
	END
}

check_machine() {
	[ "$(id -u)" = 0 ] || fail "quickstart must run as root" "run: sudo $own_command"
	[ "$(uname -m)" = x86_64 ] || fail "this is a $(uname -m) machine" "use an x86_64 machine: templates are built for that only."
	if ! read_system && $with_packages; then
		print_needs
		exit 1
	fi
	choose_template
	mkdir -p "$logs"
}

check_room() {
	local free_mib place=$state_dir
	while [ ! -d "$place" ]; do place=$(dirname "$place"); done
	free_mib=$(df -Pm "$place" | awk 'NR == 2 { print $4 }')
	[ "$free_mib" -ge 6144 ] || [ -e "$state_dir/pool" ] ||
		fail "only $free_mib MiB are free for $state_dir" "make room: 6 GiB are needed, more for more VPSs."
}

install_packages() {
	local missing
	$with_packages || return 0
	missing=$("$source_dir/dist/install-packages" --missing build run quickstart | tr '\n' ' ')
	[ -n "$missing" ] || { show_done "Packages are installed" "$SECONDS" && return; }
	mkdir -p "$settings_dir"
	echo "$missing" >>"$settings_dir/quickstart.packages"
	step "Installing packages" "see whether 'apt-get update' and 'apt-get install' work by themselves on this machine." \
		"$source_dir/dist/install-packages" build run quickstart
}

# ---- build and install ----

# Only what is installed is built: tests need more time than all the rest.
build() {
	local targets
	[ -e "$build_dir/build.ninja" ] ||
		meson setup --prefix="$prefix" --buildtype=release -Db_ndebug=false "$build_dir" "$source_dir"
	mapfile -t targets < <(meson introspect --targets "$build_dir" | jq -r '.[] | select(.installed) | .filename[]')
	ninja -C "$build_dir" "${targets[@]#"$build_dir/"}"
}

install_files() {
	local fresh
	meson install -C "$build_dir" --no-rebuild --only-changed --quiet
	mkdir -p "$settings_dir"
	fresh=$({ cat "$files_file" 2>/dev/null || true; meson introspect --installed "$build_dir" | jq -r '.[]'; } | sort -u)
	[ "$fresh" = "$(cat "$files_file" 2>/dev/null)" ] || echo "$fresh" >"$files_file"
	! has_systemd || systemctl daemon-reload
}

# ---- user and settings ----

note_made() {
	mkdir -p "$settings_dir"
	grep -qx "$1" "$made_file" 2>/dev/null || echo "$1" >>"$made_file"
}

was_made() {
	grep -qx "$1" "$made_file" 2>/dev/null
}

make_user() {
	getent passwd "$user" >/dev/null && return
	useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
	note_made "user $user"
}

# Who else on this machine uses addresses of a network, or nothing.
users_of() { # NETWORK
	ip -4 route show root "$1" | grep -v " dev $bridge " || true
}

# The bridge's network: the usual one, or the first beside it that nothing on this machine uses.
choose_network() {
	local second
	for second in {77..99}; do
		[ -n "$(users_of "10.$second.0.0/16")" ] || { echo "10.$second.0.0/16" && return; }
	done
	echo "No network from 10.77.0.0/16 to 10.99.0.0/16 is free: set [node] network in $settings." >&2
	return 1
}

check_network() {
	local network
	network=$(setting node network 10.77.0.0/16)
	[ -n "$(users_of "$network")" ] || return 0
	echo "The guests' network $network is in use on this machine:"
	users_of "$network"
	echo "Take that away, or remove Moa ($0 --remove) and start again: another network is chosen then."
	return 1
}

make_settings() {
	local network comment='# '
	[ ! -e "$settings" ] || return 0
	network=$(choose_network)
	[ "$network" = 10.77.0.0/16 ] || comment=
	mkdir -p "$settings_dir"
	install -m 0640 -o root -g "$user" /dev/stdin "$settings" <<-END
		# Settings of moad, see moad.conf(5). Every setting has a default; these are the ones most often changed.

		[moad]
		# store = postgresql://moa@127.0.0.1/moa

		[api]
		# http = *:8080
		# https = *:8443
		# tls_cert = /etc/moa/tls/fullchain.pem
		# tls_key = /etc/moa/tls/privkey.pem

		[node]
		${comment}network = $network
		# pool_size = 100G
	END
	note_made "settings"
}

# setting SECTION KEY DEFAULT: what moad.conf says.
setting() {
	local value=
	[ ! -e "$settings" ] || value=$(awk -F= -v section="[$1]" -v key="$2" '
		/^[ \t]*[#;]/ { next }
		/^[ \t]*\[/ { gsub(/[ \t]/, ""); ours = $0 == section; next }
		{ name = $1; gsub(/[ \t]/, "", name) }
		ours && name == key { sub(/^[^=]*=[ \t]*/, ""); sub(/[ \t]*([ \t]#.*)?$/, ""); print "=" $0 }' "$settings" | tail -n 1)
	if [ -n "$value" ]; then echo "${value#=}"; else echo "$3"; fi
}

# ---- libvirtd ----

libvirtd_listens() {
	[ -S /run/libvirt/libvirt-sock ] && [ -n "$(ss -lxH src /run/libvirt/libvirt-sock)" ]
}

start_libvirtd() {
	if has_systemd; then
		systemctl enable --now libvirtd
	else
		"$source_dir/dist/start-libvirtd"
	fi
}

# ---- moad ----

moad_pid() {
	local pid
	if has_systemd; then
		pid=$(systemctl show --property MainPID --value moad)
		[ "$pid" != 0 ] || return 1
	else
		pid=$(cat "$run_dir/moad.pid" 2>/dev/null) || return 1
	fi
	case $(readlink "/proc/$pid/exe" 2>/dev/null) in
	"$prefix/sbin/moad"*) echo "$pid" ;;
	*) return 1 ;;
	esac
}

moad_is_old() {
	local pid
	pid=$(moad_pid) && [[ $(readlink "/proc/$pid/exe") == *" (deleted)" ]]
}

node_is_up() {
	"$moactl" --json node list 2>/dev/null | jq -e '.nodes[0].state == "up"' >/dev/null 2>&1
}

check_ports() {
	local place port
	for place in "$(setting api http '*:8080')" "$(setting api https '*:8443')"; do
		[ -n "$place" ] || continue
		port=${place##*:}
		[ -z "$(ss -ltnH "sport = :$port")" ] || {
			echo "Port $port is taken: $(ss -ltnpH "sport = :$port" | head -n 1)"
			echo "Give moad another one: [api] http and https in $settings."
			return 1
		}
	done
}

spawn_moad() {
	check_ports && check_network || return
	"$prefix/sbin/moad" check-config
	if has_systemd; then
		systemctl enable --now moad
		return
	fi
	mkdir -p "$(dirname "$moad_log")" "$run_dir"
	chmod 0711 "$run_dir"
	[ -e "$moad_log" ] || install -m 0640 /dev/null "$moad_log"
	setsid "$prefix/sbin/moad" </dev/null >>"$moad_log" 2>&1 &
	echo $! >"$run_dir/moad.pid"
}

moad_came_up() {
	node_is_up || ! moad_pid >/dev/null
}

# As a step: the end of moad's own log is the reason when it does not come up.
start_moad() {
	local lines_before=0
	[ ! -e "$moad_log" ] || lines_before=$(wc -l <"$moad_log")
	spawn_moad
	if wait_for 150 moad_came_up && node_is_up; then
		return 0
	fi
	if has_systemd; then
		journalctl --unit moad --lines 20 --no-pager --output cat
	else
		tail -n "+$((lines_before + 1))" "$moad_log" | tail -n 20
	fi
	return 1
}

# moad waits up to 90 s for what it is at.
stop_moad() {
	local pid
	if has_systemd; then
		systemctl stop moad
		return
	fi
	pid=$(moad_pid) || return 0
	kill -TERM "$pid"
	wait_for 100 eval "! kill -0 $pid 2>/dev/null"
	rm -f "$run_dir/moad.pid"
}

make_user_and_settings() {
	make_user
	make_settings
}

set_up_system() {
	install_packages
	step "Building" "the log names what is missing or does not compile." build
	step "Installing below $prefix" "see whether $prefix can be written." install_files
	step "User $user, settings $settings" "see whether useradd works." make_user_and_settings
	if ! libvirtd_listens; then
		step "Starting libvirtd" "run libvirtd in a terminal to see what it says." start_libvirtd
		note_made libvirtd
	fi
	if moad_is_old; then
		step "Stopping moad for the new build; guests keep running" "see $moad_log." stop_moad
	fi
	if node_is_up; then
		show_done "moad is up" "$SECONDS"
	else
		[ "$(cat /proc/sys/net/ipv4/ip_forward)" != 0 ] || note_made forwarding
		step "Starting moad" "correct what the log names; settings are in $settings." start_moad
	fi
}
