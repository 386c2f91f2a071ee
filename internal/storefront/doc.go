// Package storefront owns an application for tests and benchmarks: clients that write to whichever side is open, try again as a well-made
// client does, and remember what was acknowledged to them; and the oracle that says whether a database holds just that. It never
// looks at bascule.
package storefront
