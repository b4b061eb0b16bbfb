#!/bin/sh
# Measures bench_http's two modes in turn with wrk and prints requests a second and the ratio of the medians.
# usage: run.sh PATH/bench_http [ROUNDS] [SECONDS]
set -eu
bench=$1
rounds=${2:-5}
seconds=${3:-4}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

measure() {
	mkfifo "$folder/stdin"
	"$bench" "$1" <"$folder/stdin" >"$folder/port" &
	server=$!
	exec 3>"$folder/stdin"
	until [ -s "$folder/port" ]; do :; done
	wrk -t1 -c64 -d"${seconds}s" \
		"http://127.0.0.1:$(cat "$folder/port")/v1/getServiceInfo?veid=1&api_key=private_abcdefghijklmnopqrstuvwx" |
		tee "$folder/wrk" | awk '/^Requests\/sec/ { print $2 }' >>"$folder/$1"
	if grep -E 'Non-2xx|Socket errors' "$folder/wrk"; then
		exit 1
	fi
	exec 3>&-
	wait "$server"
	rm "$folder/stdin" "$folder/port"
}

for round in $(seq "$rounds"); do
	measure bare
	measure ours
	echo "round $round: bare $(tail -n1 "$folder/bare"), ours $(tail -n1 "$folder/ours")"
done
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
bare=$(median "$folder/bare")
ours=$(median "$folder/ours")
awk -v bare="$bare" -v ours="$ours" 'BEGIN { printf "median: bare %d, ours %d, ours/bare %.2f\n", bare, ours, ours / bare }'
