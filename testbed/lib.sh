# shellcheck shell=bash
# What the testbed's scripts share: where things are, how they speak, how they
# become root. Sourced, never run.

# testbed is the folder that holds everything the scripts install or start.
testbed=${BASCULE_TESTBED:-/var/tmp/bascule-testbed}
# sid is the Debian sid tree that servers newer than the distribution's run in.
sid=$testbed/sid
# account is the unprivileged user that every server runs as. It has the same
# number inside the sid tree.
account=bascule-testbed
# password of every server's administrator (root on MySQL and MariaDB, postgres on PostgreSQL).
password=bascule

say() { printf 'testbed: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# step WHAT COMMAND... runs a command and says how long it took. The command's
# own output goes to a log and is shown only when it fails.
step() {
  local what=$1 began=$EPOCHREALTIME log
  shift
  log=$(mktemp)
  say "$what ..."
  # A subshell with its own set -e: a function's failure in the middle counts.
  set +e
  (
    set -e
    "$@"
  ) >"$log" 2>&1 </dev/null
  local status=$?
  set -e
  if [ $status -ne 0 ]; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    die "$what: failed after $(since "$began") s (exit $status)"
  fi
  rm -f "$log"
  say "$what: done in $(since "$began") s"
}

# since START prints the seconds since an EPOCHREALTIME, to a tenth.
since() {
  awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

# become_root runs the calling script again under sudo unless it is root already.
become_root() {
  [ "$EUID" -ne 0 ] || return 0
  command -v sudo >/dev/null || die "$(basename "$0") needs root: run it as root or install sudo"
  local keep=BASCULE_TESTBED,BASCULE_TESTBED_PORTS,BASCULE_TEST_MYSQL,BASCULE_TEST_MARIADB
  keep=$keep,BASCULE_TEST_POSTGRES,BASCULE_TEST_POSTGRES18,http_proxy,https_proxy,no_proxy
  exec sudo --preserve-env="$keep" -- "$0" "$@"
}

# lock NAME makes the calling script wait for others that hold the same lock.
# Started servers must not inherit it: they close descriptor 9.
lock() {
  mkdir -p "$testbed"
  exec 9>"$testbed/.$1.lock"
  flock 9
}

# unavailable is the exit code for a kind that this machine does not have.
readonly unavailable=3

# sid_ready tells whether the sid tree was installed to its end.
sid_ready() { [ -e "$sid/.complete" ]; }

# is_debian tells whether this is Debian itself, as opposed to Ubuntu and other relatives.
is_debian() {
  local id
  id=$(. /etc/os-release && printf '%s' "$ID")
  [ "$id" = debian ]
}

# postgres_bin MAJOR prints the folder of the distribution's PostgreSQL programs:
# the major version asked for or, without one installed, the newest there is.
postgres_bin() {
  local want=/usr/lib/postgresql/$1/bin
  if [ ! -x "$want/initdb" ]; then
    want=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  fi
  [ -x "$want/initdb" ] && printf '%s\n' "$want"
}
