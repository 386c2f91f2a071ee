// Package platform owns bascule.yaml: what is moved, environment by environment, and the steps of a round. It reads the file, says where it is wrong, and makes
// a round's script of it, for the move itself, for a rehearsal and for a proof of concept. It never connects to anything, and never resolves a secret.
package platform
