# shellcheck shell=sh
# What the hooks share: the two sides, as whoever administers them sees them. Sourced, never run. The ports are demo/run's: with --scratch, those of the
# scratch copies.

old() { MYSQL_PWD=bascule mariadb --no-defaults --default-character-set=utf8mb4 -h 127.0.0.1 -P "$OLD_PORT" -u root -N "$@"; }

new() {
  _database=$1
  shift
  PGPASSWORD=bascule PGOPTIONS='-c client_min_messages=warning' psql -qAtX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$NEW_PORT" -U postgres -d "$_database" "$@"
}

# names ENVIRONMENT DATABASE... prints what the databases are called on both sides.
names() {
  _environment=$(echo "$1" | tr - _)
  shift
  for _d; do echo "${_environment}_$_d"; done
}

if [ "${1:-}" = --scratch ]; then
  OLD_PORT=$SCRATCH_OLD_PORT NEW_PORT=$SCRATCH_NEW_PORT
  shift
fi
