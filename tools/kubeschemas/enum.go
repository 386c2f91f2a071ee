package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// enumerations reads which values fields take, by type and field. API servers publish them, the documents in the repository leave them out:
// they stand in the code from which the documents are made.
func enumerations(file string) (map[string]map[string][]string, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	out := map[string]map[string][]string{}
	for _, d := range tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name, ok := strings.CutPrefix(f.Name.Name, "schema_k8sio_api_")
		if !ok {
			continue
		}
		fields := map[string][]string{}
		ast.Inspect(f, func(n ast.Node) bool {
			kv, ok := n.(*ast.KeyValueExpr)
			if !ok || !isName(kv.Key, "Properties") {
				return true
			}
			if props, ok := kv.Value.(*ast.CompositeLit); ok {
				for _, e := range props.Elts {
					field(e, fields)
				}
			}
			return false
		})
		if len(fields) > 0 {
			out["io.k8s.api."+strings.ReplaceAll(name, "_", ".")] = fields
		}
	}
	return out, nil
}

// field reads the values of one property, or of its elements.
func field(e ast.Expr, into map[string][]string) {
	kv, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return
	}
	name, ok := quoted(kv.Key)
	if !ok {
		return
	}
	ast.Inspect(kv.Value, func(n ast.Node) bool {
		inner, ok := n.(*ast.KeyValueExpr)
		if !ok || !isName(inner.Key, "Enum") {
			return true
		}
		if list, ok := inner.Value.(*ast.CompositeLit); ok {
			for _, v := range list.Elts {
				if text, ok := quoted(v); ok {
					into[name] = append(into[name], text)
				}
			}
		}
		return false
	})
	slices.Sort(into[name])
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func quoted(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}
