// Package story owns the stories that tests tell: files of testdata that hold an input and, beside it, what becomes of it. It reads them, compares, and
// writes anew what has changed on purpose. It never decides what is right: whoever tells a story does. It is for tests only.
package story
