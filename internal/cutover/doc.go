// Package cutover owns the switch of an application from one end to the other and back: which step comes next, what is undone
// when one fails, and who may decide. It knows ports only, never a dialect. It never opens a side before the other is proved to be
// closed and drained, never guesses what became of a switch, and remembers nothing outside the journal.
//
// The pieces, each using only what stands above it:
//
//   - state.go folds a journal into a state;
//   - machine.go says what to do next in a state;
//   - ports.go is what the steps need of the two ends;
//   - driver.go claims the journal and does what the machine says, one action after the other;
//   - action.go carries out single steps;
//   - hold.go waits before the switch, and goes on from a fence that another process has left;
//   - settle.go finds out what is durable after an error;
//   - keep.go renews the claim; watch.go is the second process;
//   - hook.go tells the outside world.
package cutover
