package translate

// PodSpecs finds the paths of all specifications of pods in an object of any kind.
func PodSpecs(object map[string]any) [][]string { return podSpecs(object) }

// At returns what stands at a path of keys and indexes; nil where nothing does.
func At(v any, path ...string) any { return at(v, path) }
