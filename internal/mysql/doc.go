// Package mysql owns what is said to a MySQL or MariaDB server. As the source of a copy it reads what the database is, what its
// data says, its rows and the sums over them, and implements change.Source: those connections are read only, lock nothing
// and need no more than SELECT, REPLICATION SLAVE and REPLICATION CLIENT. For the way back it applies changes (change.Applier), and for a
// switch it fences the application: only those write, and only to the planned tables and to a database of their own, bascule.
// Control statements go through database/sql, rows and writes through mysql/wire. It decides nothing about the other end.
package mysql
