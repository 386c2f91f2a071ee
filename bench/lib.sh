# shellcheck shell=bash
# What the benchmarks share: their own two servers, with equal settings for
# every mover. Sourced, never run.

bench=${BASCULE_TESTBED:-/var/tmp/bascule-testbed}/bench
results=$bench/results
host=127.0.0.1
# Both ports stand below those that a system gives to outgoing connections, of which one could hold it.
source_port=23327
target_port=25452
source=mysql://root:bascule@$host:$source_port
target=postgres://postgres:bascule@$host:$target_port
export MYSQL_PWD=bascule

die() {
  printf 'bench: %s\n' "$*" >&2
  exit 1
}

# servers starts both. The testbed sets wal_level=logical, fsync=on and, on the
# source, a flush of the log at every commit.
servers() {
  "$root/testbed/server" mariadb start --dir "$bench/mariadb" --port $source_port \
    --set innodb_buffer_pool_size=1G --set performance_schema=OFF
  "$root/testbed/server" postgres15 start --dir "$bench/postgres15" --port $target_port \
    --set shared_buffers=512MB --set max_wal_size=8GB --set checkpoint_timeout=30min
  [ "$(pg postgres -c 'SHOW wal_level')$(pg postgres -c 'SHOW fsync')" = logicalon ] || die "the target does not run with wal_level=logical and fsync=on"
  source_pid=$("$root/testbed/server" mariadb status --dir "$bench/mariadb")
  target_pid=$("$root/testbed/server" postgres15 status --dir "$bench/postgres15")
  source_pid=${source_pid#running } target_pid=${target_pid#running }
  mkdir -p "$results"
}

# stop ends both servers; their data stays for the next time.
stop() {
  "$root/testbed/server" mariadb stop --dir "$bench/mariadb"
  "$root/testbed/server" postgres15 stop --dir "$bench/postgres15"
}

# tools builds the meter and the data generator once.
tools() {
  (cd "$root" && go build -o "$bench/" ./bench/meter ./demo/marketplace)
  meter=$bench/meter
}

my() { mariadb --no-defaults --default-character-set=utf8mb4 -h $host -P $source_port -u root -N "$@"; }

# pg DATABASE ARG... runs psql on the target.
pg() {
  local database=$1
  shift
  PGOPTIONS='-c client_min_messages=warning' psql -qAtX -v ON_ERROR_STOP=1 "$target/$database" "$@"
}

# fresh_target makes the database anew, and writes out what earlier runs left to
# be written, so that no run pays for the one before it.
fresh_target() {
  pg postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1" -c CHECKPOINT
  sync
}

# data SET makes the source's database, once.
data() {
  case $1 in
    orders) "$bench/marketplace" --source "$source/orders" --orders "$orders_rows" ;;
    marketplace) "$bench/marketplace" --source "$source/marketplace" --rows "$market_rows" ;;
    blobs) "$bench/marketplace" --source "$source/blobs" --blobs 8 --blob-mib 64 ;;
  esac
  # Read it all once: the buffer pool is warm for every mover alike.
  local table
  for table in $(tables "$1"); do my -e "SELECT count(*) FROM \`$1\`.\`$table\` FORCE INDEX (PRIMARY)" >/dev/null; done
}

# tables SET lists the source's tables.
tables() { my -e "SELECT table_name FROM information_schema.tables WHERE table_schema = '$1' AND table_type = 'BASE TABLE' ORDER BY 1"; }

# check_counts SET SCHEMA fails unless every table has as many rows on the target.
check_counts() {
  local table want have
  for table in $(tables "$1"); do
    want=$(my -e "SELECT count(*) FROM \`$1\`.\`$table\`")
    have=$(pg "$1" -c "SELECT count(*) FROM $2.$table")
    [ "$want" = "$have" ] || die "$table has $want rows on the source and $have on the target: this run did not move everything"
  done
}
