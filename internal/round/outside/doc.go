// Package outside owns everything that a round says to the world outside of bascule: commands, webhooks, conditions that are asked for again and again,
// chat messages and mail. It keeps nothing, decides nothing about a round, and never tries an effect twice: whoever calls it does.
//
// # Commands
//
// A command is run by a shell, in a process group of its own, so that Ctrl-C on the terminal does not reach it. It gets a Call as JSON on its standard
// input, and as BASCULE_ROUND, BASCULE_ENVIRONMENT, BASCULE_STEP, BASCULE_VERB, BASCULE_ATTEMPT, BASCULE_EPOCH, BASCULE_KEY, BASCULE_REHEARSAL (0 or 1),
// BASCULE_DATABASE and BASCULE_WEIGHT in its environment, beside what Outside.Env adds. When its time is over, or the round is stopped, its group gets SIGTERM, and SIGKILL five
// seconds later. What it left running is ended in the same way when it fails, so that the next attempt is alone; when it succeeds, that stays. On
// Linux the shell also gets SIGTERM when bascule itself is killed.
//
// # Webhooks
//
// A webhook gets the Call as JSON by POST. What is to have an effect comes with an Idempotency-Key, which is the Call's Key; a question (check) comes
// without, because a server that answers by that key from memory would give its first answer for ever. Redirects are not followed.
//
// Where a signing secret is configured, the request is signed:
//
//	Bascule-Signature: t=1767225600,v1=5257a869e7…
//
// t is the time of the request, in seconds since 1970. v1 is HMAC-SHA256, in hexadecimal, with the secret as its key, over t in decimal digits, a full
// stop, and the body's bytes. The receiver computes it anew, compares in constant time, and refuses a t that is more than a few minutes old.
package outside
