// Package crosscheck owns the independent comparison of a MySQL or MariaDB
// database with the PostgreSQL schema that it was moved to: it reads every
// column of every row on both sides, as text, brings both texts to one
// canonical form and compares them all. It shares no code with the program
// that it checks, uses the drivers of the two databases as they are, and never
// decides what a value should have become: it only tells whether it arrived.
// It serves tests, demonstrations and people who do not trust a tool to mark
// its own work. It reads whole tables and is not meant to be fast.
package crosscheck
