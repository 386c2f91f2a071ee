# shellcheck shell=bash
# What the demonstration's scripts share: where its servers are. Sourced, never run.

# demo is the folder of the demonstration's own server instances.
demo=${BASCULE_TESTBED:-/var/tmp/bascule-testbed}/demo
source_port=43317
target_port=45442
source=mysql://root:bascule@127.0.0.1:$source_port
target=postgres://postgres:bascule@127.0.0.1:$target_port
samples=${BASCULE_SAMPLES:-$root/../shared/samples}

say() { printf '\n== %s\n' "$*"; }

# since START prints the seconds since an EPOCHREALTIME, to a tenth.
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# sql runs the source's own client as its administrator.
sql() {
  MYSQL_PWD=bascule mariadb --no-defaults --default-character-set=utf8mb4 -h 127.0.0.1 -P $source_port -u root "$@"
}
