// Package platform owns bascule.yaml: what is moved, environment by environment, and the steps of a round. It reads the file, says where it is wrong, and makes
// a round's plan of it. It never connects to anything, and never resolves a secret.
package platform
