package manifest

import "bytes"

// document is one document of a stream of YAML.
type document struct {
	// line is the number of its first line in the file, from 1.
	line int
	text []byte
}

// split cuts a stream into its documents without looking into them. YAML forbids a line that begins with --- or ... inside of
// any document, in block scalars and quoted text too, so that lines are all it has to look at. A marker's line belongs to the
// document that it opens only when something stands on it beside the marker. The documents' bytes are those of the stream.
func split(text []byte) []document {
	var docs []document
	d := document{line: 1}
	start, line := 0, 1
	end := func(at int) {
		d.text = text[start:at]
		if len(bytes.TrimSpace(d.text)) > 0 {
			docs = append(docs, d)
		}
	}
	for at := 0; at < len(text); line++ {
		next := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		switch rest, opens := marker(text[at:next], "---"); {
		case opens && len(rest) == 0:
			end(at)
			start, d = next, document{line: line + 1}
		case opens:
			end(at)
			start, d = at, document{line: line}
		default:
			if _, ends := marker(text[at:next], "..."); ends {
				end(at)
				start, d = next, document{line: line + 1}
			}
		}
		at = next
	}
	end(len(text))
	return docs
}

// marker says whether a line is a marker, and what stands behind it.
func marker(line []byte, mark string) (rest []byte, is bool) {
	if !bytes.HasPrefix(line, []byte(mark)) {
		return nil, false
	}
	rest = line[len(mark):]
	if len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' && rest[0] != '\r' && rest[0] != '\n' {
		return nil, false
	}
	return bytes.TrimSpace(rest), true
}
