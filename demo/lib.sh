# shellcheck shell=bash
# What the demonstrations' scripts share: where their servers are. Sourced, never run.

# demo is the folder of the demonstrations' own server instances.
demo=${BASCULE_TESTBED:-/var/tmp/bascule-testbed}/demo
samples=${BASCULE_SAMPLES:-$root/../shared/samples}

# The two servers of demo/move.
source_port=43317
target_port=45442
source=mysql://root:bascule@127.0.0.1:$source_port
target=postgres://postgres:bascule@127.0.0.1:$target_port

# The four of demo/run: the old and the new side, and a scratch copy of each for rehearsals. Their ports stand below those that a system gives to
# outgoing connections, of which one could hold it.
rounds=$demo/rounds
old_port=23417
new_port=25417
scratch_old_port=23418
scratch_new_port=25418

say() { printf '\n== %s\n' "$*"; }

# since START prints the seconds since an EPOCHREALTIME, to a tenth.
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# sql runs the client of demo/move's source as its administrator.
sql() { old_side $source_port "$@"; }

# old_side PORT ARG... and new_side PORT DATABASE ARG... run the clients of a server as its administrator.
old_side() {
  local port=$1
  shift
  MYSQL_PWD=bascule mariadb --no-defaults --default-character-set=utf8mb4 -h 127.0.0.1 -P "$port" -u root "$@"
}

new_side() {
  local port=$1 database=$2
  shift 2
  PGPASSWORD=bascule PGOPTIONS='-c client_min_messages=warning' psql -qAtX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres -d "$database" "$@"
}

# servers VERB stops, or removes, the four servers of demo/run.
servers() {
  local name
  for name in old scratch-old; do "$root/testbed/server" mariadb "$1" --dir "$rounds/$name"; done
  for name in new scratch-new; do "$root/testbed/server" postgres15 "$1" --dir "$rounds/$name"; done
}

# as_root runs a command on what belongs to the servers' account.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# end_dashboard ends the dashboard that an earlier demonstration has left.
end_dashboard() {
  local pid
  pid=$(cat "$rounds/dashboard.pid" 2>/dev/null || true)
  if [ -n "$pid" ] && [ "/proc/$pid/exe" -ef "$rounds/bin/bascule" ]; then kill "$pid"; fi
  rm -f "$rounds/dashboard.pid"
}
