// Package round owns what a round is: its steps and their order, what may start next, and what each event makes of it. It is pure: the same events always
// lead to the same state. It does nothing, reads no clock and no file, knows no database, and never decides what a person has to.
//
// A round has two instants. Until the first database opens on its new side (the switch), whatever goes wrong is undone, by itself. From then until the
// finish a person chooses to go on or to fall back. Behind the finish there is only forward.
package round
