# shellcheck shell=bash
# The first customer: template, account, plan, and one VPS of each type that answers. Keys and passwords are shown only once by moad,
# so they are kept for root in $keys_file.

account=customer@example.com plan=starter shell_command="command=uname -a"

host_name_of() { # TYPE
	case $1 in
	kvm) echo machine.example.com ;;
	ovz) echo container.example.com ;;
	esac
}

title_of() { # TYPE
	case $1 in
	kvm) echo "machine (kvm)" ;;
	ovz) echo "container (ovz)" ;;
	esac
}

# ---- template, account, plan ----

template_types() {
	"$moactl" --json template list | jq -r --arg name "$template" '[.templates[] | select(.name == $name) | .type] | sort | join(" ")'
}

make_template() {
	local have advice options=()
	have=$(template_types)
	case $have in
	"kvm ovz")
		show_done "Template $template is there" "$SECONDS"
		return
		;;
	kvm) options=(--type ovz) ;;
	ovz) options=(--type kvm) ;;
	esac
	advice="see whether 'apt-get update' works; another mirror: moactl template build $template --mirror URL"
	step_shown "Building the template $template, one to three minutes" "$advice" \
		"$moactl" template build "$template" "${options[@]}"
}

make_customer() {
	if ! "$moactl" --json account list | jq -e --arg email "$account" 'any(.accounts[]; .email == $email)' >/dev/null; then
		"$moactl" account add "$account"
	fi
	if ! "$moactl" --json plan list | jq -e --arg name "$plan" 'any(.plans[]; .name == $name)' >/dev/null; then
		"$moactl" plan set "$plan" --disk 10G --ram 512M --swap 256M
	fi
}

# ---- keys ----

# keep NAME VALUE: one line of the keys file, replaced whole.
keep() {
	local fresh
	fresh=$(mktemp "$keys_file.XXXXXX")
	{
		[ ! -e "$keys_file" ] || grep -v "^$1=" "$keys_file" || true
		echo "$1=$2"
	} >"$fresh"
	mv "$fresh" "$keys_file"
}

kept() { # NAME
	[ ! -e "$keys_file" ] || sed -n "s/^$1=//p" "$keys_file"
}

keep_answer() { # TYPE, from $answer
	local upper=${1^^}
	keep "${upper}_VEID" "$(jq -r .veid <<<"$answer")"
	keep "${upper}_KEY" "$(jq -r .api_key <<<"$answer")"
	keep "${upper}_PASSWORD" "$(jq -r .root_password <<<"$answer")"
}

# ---- VPSs ----

# The quickstart's VPS of that type, or nothing.
find_vps() { # TYPE
	"$moactl" --json vps list | jq -r --arg type "$1" --arg name "$(host_name_of "$1")" --arg account "$account" '
		[.vps[] | select(.type == $type and .hostname == $name and .account == $account and .state == "active") | .veid][0] // empty'
}

create_vps() { # TYPE
	step_shown "Creating a $(title_of "$1")" "moactl doctor says what this host lacks; moactl work list --all says what failed." \
		"$moactl" --json vps create --type "$1" --plan "$plan" --account "$account" --os "$template" \
		--hostname "$(host_name_of "$1")"
	keep_answer "$1"
}

# Keys are kept hashed and cannot be shown again: one that was lost here is replaced.
renew_key() { # TYPE VEID
	step_shown "Making a new key for VPS $2, as $keys_file has none" "moactl vps show $2 tells about it." \
		"$moactl" --json --yes vps key "$2"
	keep "${1^^}_VEID" "$2"
	keep "${1^^}_KEY" "$(jq -r .api_key <<<"$answer")"
}

make_vps() { # TYPE
	local veid
	veid=$(find_vps "$1")
	if [ -z "$veid" ]; then
		create_vps "$1"
		return
	fi
	show_done "A $(title_of "$1") is there: VPS $veid" "$SECONDS"
	[ "$(kept "${1^^}_VEID")" = "$veid" ] && [ -n "$(kept "${1^^}_KEY")" ] || renew_key "$1" "$veid"
}

# ---- until they answer ----

# call TYPE CALL [NAME=VALUE]...: one call of the API. The key goes over standard input, where no other user sees it.
call() {
	local upper=${1^^} name=$2 value options=()
	shift 2
	for value in "$@"; do options+=(--data-urlencode "$value"); done
	printf 'veid=%s&api_key=%s' "$(kept "${upper}_VEID")" "$(kept "${upper}_KEY")" |
		curl --silent --show-error --insecure --max-time 60 --data @- "${options[@]}" "$base_url/v1/$name"
}

# Where SSH of a VPS is reached from here: "address port".
ssh_place() { # TYPE
	"$moactl" --json vps show "$(kept "${1^^}_VEID")" |
		jq -r 'if (.node_ip | startswith("127.")) or .ssh_port == 0 then "\(.ip_addresses[0]) 22" else "\(.node_ip) \(.ssh_port)" end'
}

ssh_answers() { # ADDRESS PORT
	# shellcheck disable=SC2016 # for the inner shell
	timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1" && read -r line <&3 && [[ $line == SSH-2.0-* ]]' "$1" "$2" 2>/dev/null
}

# The answer is kept, to be shown later: in an emulated machine each call takes its time.
shell_answers() { # TYPE
	call "$1" basicShell/exec "$shell_command" >"$logs/shell-$1.json"
	[ "$(jq -r .error "$logs/shell-$1.json")" = 0 ]
}

start_if_stopped() { # TYPE
	local veid power
	veid=$(kept "${1^^}_VEID")
	power=$("$moactl" --json vps show "$veid" | jq -r .power)
	[ "$power" != stopped ] || "$moactl" vps start "$veid"
}

wait_for_vps() { # TYPE
	local address port
	start_if_stopped "$1"
	read -r address port <<<"$(ssh_place "$1")"
	wait_for 600 ssh_answers "$address" "$port" || {
		echo "SSH of VPS $(kept "${1^^}_VEID") does not answer at $address port $port."
		call "$1" getLiveServiceInfo | jq 'del(.screendump_png_base64)'
		return 1
	}
	wait_for 120 shell_answers "$1" || {
		echo "SSH answers, but basicShell/exec does not: $(cat "$logs/shell-$1.json")"
		return 1
	}
}

make_guests() {
	local type
	make_template
	step "Customer $account on plan $plan" "see $moad_log." make_customer
	for type in ovz kvm; do make_vps "$type"; done
	for type in ovz kvm; do
		step "The $(title_of "$type") is up: SSH and basicShell/exec answer" \
			"moactl vps show $(kept "${type^^}_VEID"); moactl doctor; the guest may only need more time on a slow host." \
			wait_for_vps "$type"
	done
}
