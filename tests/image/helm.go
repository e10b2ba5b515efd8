// helm.go CHART < VALUES: as much of "helm template" as charts/ntpd uses, on Go's own
// template engine.  Reads {"Values": ..., "Release": ..., "Chart": ...} as JSON and
// prints {"file": "text"} of all templates.  A function that it does not know is an
// error, so that the chart cannot drift into something that only looks tested.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

type files string

func (f files) Get(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(f), name))
	return string(text), err
}

// yaml writes maps and lists in blocks, and what is in them as JSON, which is YAML.
func yaml(value interface{}) string {
	var lines []string
	plain := func(value interface{}) string {
		text, err := json.Marshal(value)
		must(err)
		return string(text)
	}
	switch v := value.(type) {
	case map[string]interface{}:
		for key, item := range v {
			lines = append(lines, plain(key)+": "+plain(item))
		}
		sort.Strings(lines)
	case []interface{}:
		for _, item := range v {
			lines = append(lines, "- "+plain(item))
		}
	default:
		return plain(value)
	}
	return strings.Join(lines, "\n")
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	chart := os.Args[1]
	var data map[string]interface{}
	must(json.NewDecoder(os.Stdin).Decode(&data))
	data["Files"] = files(chart)
	all := template.New("chart").Option("missingkey=error")
	all.Funcs(template.FuncMap{
		"include": func(name string, value interface{}) (string, error) {
			var out strings.Builder
			err := all.ExecuteTemplate(&out, name, value)
			return out.String(), err
		},
		"toYaml": yaml,
		"nindent": func(n int, text string) string {
			pad := strings.Repeat(" ", n)
			return "\n" + pad + strings.ReplaceAll(text, "\n", "\n"+pad)
		},
		"quote":    func(value interface{}) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"contains": func(part, text string) bool { return strings.Contains(text, part) },
		"default": func(other, value interface{}) interface{} {
			if value == nil || value == "" {
				return other
			}
			return value
		},
	})
	var names []string
	for _, pattern := range []string{"templates/*", "templates/tests/*"} {
		found, err := filepath.Glob(filepath.Join(chart, pattern))
		must(err)
		for _, path := range found {
			if info, _ := os.Stat(path); info.IsDir() {
				continue
			}
			text, err := os.ReadFile(path)
			must(err)
			name, _ := filepath.Rel(chart, path)
			_, err = all.New(name).Parse(string(text))
			must(err)
			names = append(names, name)
		}
	}
	made := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, ".tpl") {
			continue
		}
		var out strings.Builder
		must(all.ExecuteTemplate(&out, name, data))
		made[name] = out.String()
	}
	must(json.NewEncoder(os.Stdout).Encode(made))
}
