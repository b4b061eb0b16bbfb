# shellcheck shell=bash
# What a newcomer sees at the end: real calls with curl and their answers, and the lines to try next.

# show TYPE CALL FILTER [NAME=VALUE]...: the call as one would type it, and its answer.
show() {
	local type=$1 name=$2 filter=$3 reply
	shift 3
	reply=$(call "$type" "$name" "$@") || fail "the call $name" "see whether moad runs: moactl node list"
	show_answer "$type" "$name" "$filter" "$reply" "$@"
}

show_answer() { # TYPE CALL FILTER ANSWER [NAME=VALUE]...
	local name=$2 filter=$3 reply=$4 upper=${1^^} value shown=
	shift 4
	for value in "$@"; do shown+=" --data-urlencode '$value'"; done
	printf '\n  $ curl -k %s/v1/%s -d veid=$%s_VEID -d api_key=$%s_KEY%s\n' "$base_url" "$name" "$upper" "$upper" "$shown"
	jq "$filter" <<<"$reply" | sed 's/^/    /'
}

show_calls() { # TYPE
	local live='{vm_type, ve_status, live_hostname, load_average, mem_available_kb, ve_used_disk_space_b, ssh_port, error, veid}'
	[ "$1" = ovz ] || live="$live + {screendump_png_base64: \"\\(.screendump_png_base64 | length) characters of a PNG\"}"
	heading "VPS $(kept "${1^^}_VEID"), a $(title_of "$1")"
	show "$1" getServiceInfo '{vm_type, hostname, os, plan, node_location, ip_addresses, plan_disk, plan_ram, suspended, error}'
	show_answer "$1" basicShell/exec . "$(cat "$logs/shell-$1.json")" "$shell_command"
	show "$1" getLiveServiceInfo "$live"
	show "$1" getRateLimitStatus .
}

show_next() {
	local host ovz_place kvm_place
	ovz_place=$(ssh_place ovz) kvm_place=$(ssh_place kvm)
	host=$("$moactl" --json node list | jq -r '.nodes[0].ip')
	heading "To try next"
	cat <<-END
		  . $keys_file   # keys and root passwords of both VPSs, for root only
		  curl -k "${base_url%%:*}://$host:${base_url##*:}/v1/getServiceInfo?veid=\$KVM_VEID&api_key=\$KVM_KEY"
		  curl -k "${base_url%%:*}://$host:${base_url##*:}/v1/restart?veid=\$OVZ_VEID&api_key=\$OVZ_KEY"
		  ssh -p ${ovz_place#* } root@${ovz_place% *}   # the container; its password: echo \$OVZ_PASSWORD
		  ssh -p ${kvm_place#* } root@${kvm_place% *}   # the machine; its password: echo \$KVM_PASSWORD
		  moactl vps list
		  moactl doctor
		  man moactl
		  $0 --remove   # takes everything away again

		KiwiVM clients take the base URL ${base_url%%:*}://$host:${base_url##*:}/v1/ and a veid and key from above.
	END
}
