// Package account owns what a round's journal amounts to for people: who did what when, for how long, what is waited for, how long the rest will take, what
// turning back costs, and how rounds get faster. It reads what is given to it and does nothing.
package account
