package node

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needs lists what each test function asks of a body, as its source says: it
// holds onBodies(t, needs, ...) or onBoards(t, ...).
func needs(t *testing.T) map[string]trait {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]trait{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch callee, _ := call.Fun.(*ast.Ident); {
				case callee == nil:
				case callee.Name == "onBodies":
					found[f.Name.Name] = wanted(t, call.Args[1])
				case callee.Name == "onBoards":
					found[f.Name.Name] = isBoard
				}
				return true
			})
		}
	}
	return found
}

func wanted(t *testing.T, e ast.Expr) trait {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		return 0
	case *ast.BinaryExpr:
		return wanted(t, e.X) | wanted(t, e.Y)
	case *ast.Ident:
		if named, ok := traitNames[e.Name]; ok {
			return named
		}
	}
	t.Fatalf("onBodies asks for something that has no name in traitNames: %#v", e)
	return 0
}

var traitNames = map[string]trait{
	"hasFlags": hasFlags, "hasProcess": hasProcess, "hasTokens": hasTokens,
	"hasClock": hasClock, "hasRSAKeys": hasRSAKeys, "canLeave": canLeave, "isBoard": isBoard,
}

// table says which case runs on which body, and why not.
func table(needs map[string]trait) string {
	var b strings.Builder
	b.WriteString("| case |")
	for _, k := range kinds {
		fmt.Fprintf(&b, " %s |", k.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(kinds)) + "\n")
	var names []string
	for name := range needs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", strings.TrimPrefix(name, "Test"))
		for _, k := range kinds {
			fmt.Fprintf(&b, " %s |", applies(k, needs[name]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func applies(k *kind, needed trait) string {
	var why []string
	for bit := trait(1); bit <= needed; bit <<= 1 {
		if needed&bit != 0 && !k.has(bit) {
			why = append(why, lacks[bit])
		}
	}
	if len(why) == 0 {
		return "yes"
	}
	return "no: " + strings.Join(why, ", ")
}

const (
	tableBegin = "<!-- cases: written by UPDATE=1 go test ./node -run TestTableOfCases -->\n"
	tableEnd   = "<!-- end of cases -->"
)

func TestTableOfCases(t *testing.T) {
	const file = "../README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableBegin)
	is, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the table of cases", file)
	}
	ought := table(needs(t))
	if is == ought {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s has another table of cases: UPDATE=1 go test ./node -run TestTableOfCases", file)
	}
	if err := os.WriteFile(file, []byte(before+tableBegin+ought+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A case that nobody can run is a mistake in its traits.
func TestEveryCaseHasABody(t *testing.T) {
	for name, needed := range needs(t) {
		if !slices.ContainsFunc(kinds, func(k *kind) bool { return k.has(needed) }) {
			t.Errorf("%s runs on nothing", name)
		}
	}
}
