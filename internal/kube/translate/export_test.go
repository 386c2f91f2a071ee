package translate

import (
	"maps"
	"slices"
	"testing"
)

// TranslateWithout is Translate as it would be without one row of the tables.
func TranslateWithout(in Input, row string) *Result {
	is := func(r Rule) bool { return string(r.ID) == row }
	topics := Topics()
	for i := range topics {
		topics[i].Rules = slices.DeleteFunc(topics[i].Rules, is)
	}
	return translateBy(in, topics, slices.DeleteFunc(Phases().Rules, is))
}

// WithoutSuffix takes the suffix of an annotation of Services out of the tables, in memory, until the test ends. It says whether it stood there.
func WithoutSuffix(t *testing.T, suffix string) (stood bool) {
	t.Helper()
	for _, list := range []*[]string{&suffixType, &suffixScheme, &suffixAddress, &suffixRanges, &suffixProxy, &suffixTLS, &suffixHealth} {
		if was := *list; slices.Contains(was, suffix) {
			*list = slices.DeleteFunc(slices.Clone(was), func(s string) bool { return s == suffix })
			t.Cleanup(func() { *list = was })
			stood = true
		}
	}
	if _, there := suffixDropped[suffix]; there {
		was := suffixDropped
		suffixDropped = maps.Clone(was)
		delete(suffixDropped, suffix)
		t.Cleanup(func() { suffixDropped = was })
		stood = true
	}
	return stood
}
