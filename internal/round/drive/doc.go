// Package drive owns the execution of a round on one machine: it claims the round, starts what the state says may start, writes down before each act what
// it is about to do and afterwards what came of it, and lets people's entries into the state as they come. It never decides: package round does. It never
// carries a step out itself: its hands do.
package drive
