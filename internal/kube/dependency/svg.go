package dependency

// SVG draws a map.
func SVG(m *Map, environment string) []byte { return nil }
