// Package follow owns the replay: it takes one end's feed of changes, folds it into steps, and applies them to the other
// end, whole transactions at a time and each exactly once. It knows ports only, never a dialect, never decides what a value
// becomes, and skips no change that it was given but those that a table's exact snapshot holds already.
//
// The pieces, each using only what stands above it:
//
//   - index.go finds a row's slot by its key, without an allocation a row;
//   - pending.go folds the changes of one table into what to delete and what to insert;
//   - builder.go folds a feed into steps, and cuts a step where a cascade has to run between two changes;
//   - pump.go reads ahead while the step before is applied;
//   - follow.go opens both ends, starts over after a lost connection, and stops where it is told to.
package follow
