package translate

import "slices"

// TranslateWithout is Translate as it would be without one row of the tables.
func TranslateWithout(in Input, row string) *Result {
	is := func(r Rule) bool { return string(r.ID) == row }
	topics := Topics()
	for i := range topics {
		topics[i].Rules = slices.DeleteFunc(topics[i].Rules, is)
	}
	return translateBy(in, topics, slices.DeleteFunc(Phases().Rules, is))
}
