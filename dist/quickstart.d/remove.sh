# shellcheck shell=bash
# The way back: guests, daemon, network, pool, files, settings, user. Only things of our own names are touched, and a package that
# was installed stays, for something else may use it by now.

confirm_removal() {
	local all
	all=$("$moactl" --json vps list 2>/dev/null | jq -r '.vps[] | "    \(.veid)  \(.type)  \(.hostname)"' 2>/dev/null) || all=
	cat <<-END
		This removes Moa from this machine: all its VPSs with their disks, templates, the store,
		$state_dir, $settings_dir, $moad_log, what was installed below $prefix${made_user:+, the user $user}.
	END
	[ -z "$all" ] || printf '\n  VPSs that will be destroyed:\n%s\n' "$all"
	$assume_yes && return
	[ -t 0 ] || fail "nobody can be asked whether to remove everything" "add --yes."
	read -r -p "Remove everything? [y/N] " reply
	case $reply in y | Y | yes) ;; *) echo "Nothing was removed." && exit 0 ;; esac
}

delete_guests() {
	local veid
	for veid in $("$moactl" --json vps list | jq -r '.vps[].veid'); do
		"$moactl" --yes vps delete "$veid" --now
	done
}

# Without a moad that works: ends what runs under our names. libvirt keeps the pid of each machine, the kernel those of containers.
end_guests_by_force() {
	local file
	for file in /run/libvirt/qemu/"$name_prefix"-[0-9]*.pid; do
		[ ! -e "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null || true
	done
	find /sys/fs/cgroup -path "*/moa.guest/$name_prefix-[0-9]*" -name cgroup.procs 2>/dev/null | while read -r file; do
		xargs --no-run-if-empty kill -KILL <"$file" 2>/dev/null || true
	done
	rm -f /etc/libvirt/qemu/"$name_prefix"-[0-9]*.xml
}

remove_guests() {
	if [ ! -x "$moactl" ] || [ ! -x "$prefix/sbin/moad" ] || [ ! -d "$state_dir/node" ]; then
		echo "There are no guests."
		return
	fi
	if node_is_up || { libvirtd_listens && start_moad; }; then
		delete_guests
	else
		echo "moad does not come up; its guests are ended by force."
		end_guests_by_force
	fi
}

remove_moad() {
	stop_moad
	remove_groups
	if has_systemd; then
		systemctl disable moad 2>/dev/null || true
	fi
}

# moad knows best what it made; what is left of our names when it cannot say is taken away by hand.
remove_network() {
	local family
	[ ! -d "$state_dir/node" ] || "$prefix/sbin/moad" teardown || echo "moad cannot take it away; by hand, then."
	for family in inet bridge; do
		! nft list table "$family" "$name_prefix" >/dev/null 2>&1 || nft delete table "$family" "$name_prefix"
	done
	! ip link show dev "$bridge" >/dev/null 2>&1 || ip link del dev "$bridge"
}

# Containers leave the empty folders their control groups were in.
remove_groups() {
	find /sys/fs/cgroup -maxdepth 3 -depth -type d \( -name moa.guest -o -name moa.monitor -o -name moa.pivot \) \
		-exec rmdir {} + 2>/dev/null || true
}

# The disks of containers first, then the pool they lie on.
remove_mounts() {
	local place
	mounts_below "$state_dir" | sort -r | while read -r place; do
		umount "$place"
	done
}

mounts_below() {
	awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts
}

# What is mounted below a folder would be deleted with it.
remove_state() {
	[ -z "$(mounts_below "$state_dir")" ] || { echo "still mounted: $(mounts_below "$state_dir")" && return 1; }
	if mountpoint --quiet "$state_dir"; then
		find "$state_dir" -xdev -mindepth 1 -delete
	else
		rm -rf --one-file-system "$state_dir"
	fi
	rm -rf --one-file-system "$run_dir" "$(dirname "$moad_log")"
}

# The list was kept when they were installed. Folders that are empty then go too, but none that a system has by itself.
remove_files() {
	local file dir
	[ -e "$files_file" ] || return 0
	while read -r file; do
		case $file in "$prefix"/*/*) ;; *) continue ;; esac
		rm -f "$file"
		dir=${file%/*}
		while [[ ${dir#"$prefix/"} == */* ]] && rmdir "$dir" 2>/dev/null; do dir=${dir%/*}; done
	done <"$files_file"
	rmdir "$prefix/libexec" 2>/dev/null || true
	! has_systemd || systemctl daemon-reload
}

remove_user() {
	[ -z "$made_user" ] || userdel "$user"
}

remove_libvirtd() {
	! was_made libvirtd || has_systemd || "$source_dir/dist/start-libvirtd" --stop
}

remove_all() {
	local packages forwarding_made=false
	! was_made forwarding || forwarding_made=true
	made_user=$(was_made "user $user" && echo yes || true)
	packages=$(cat "$settings_dir/quickstart.packages" 2>/dev/null | tr '\n' ' ' || true)
	mkdir -p "$logs"
	confirm_removal
	heading "Removing"
	step "Deleting VPSs" "moactl vps list; moactl vps delete VEID --now" remove_guests
	step "Stopping moad" "see $moad_log." remove_moad
	step "Removing bridge $bridge and the nftables tables $name_prefix" "ip link; nft list tables" remove_network
	step "Unmounting the pool" "see what uses it: fuser -vm $state_dir/pool" remove_mounts
	step "Stopping libvirtd, if quickstart started it" "see dist/start-libvirtd." remove_libvirtd
	step "Removing $state_dir" "see what is mounted below it: findmnt" remove_state
	step "Removing installed files" "see $prefix." remove_files
	step "Removing user and settings" "see $settings_dir." remove_user
	rm -rf "$settings_dir" "$source_dir/.quickstart"
	printf '\nMoa is gone from this machine. It took %s s.\n' "$SECONDS"
	[ -z "$packages" ] || printf 'Packages quickstart had installed stay; to remove them:\n  apt-get purge --autoremove %s\n' "$packages"
	! $forwarding_made || echo "IP forwarding is still on, as other programs may need it: sysctl net.ipv4.ip_forward=0"
}
