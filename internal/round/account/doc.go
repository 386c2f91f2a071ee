// Package account owns what a round's journal amounts to for people: who did what when, for how long, what is waited for, how long the rest will take, what
// turning back costs, and how rounds get faster. It reads what is given to it and does nothing: it knows no clock, no network and no file, save for the rules
// of the time zone in which a round's times are shown.
//
// Of tells of one round, Plan of one that has not begun, Curve of all of them, Findings what proofs of concept have taught. Where nothing is known it says so,
// and never counts on it: a duration without a past is listed as unknown.
package account
