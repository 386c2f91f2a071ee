// Package mysql owns the source end: it reads what a MySQL or MariaDB database is, what its data says, its rows and the
// sums over them, and implements change.Source. Control statements go through database/sql, rows through mysql/wire. It never
// writes to a server, never locks anything, never needs more than SELECT, REPLICATION SLAVE and REPLICATION CLIENT, and
// decides nothing about the target.
package mysql
