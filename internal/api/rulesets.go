package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

type ruleSetAnswer struct {
	RuleSet    string            `json:"ruleSet"`
	Rules      []ruleAnswer      `json:"rules"`
	Parameters []parameterAnswer `json:"parameters,omitempty"`
}

// parameterAnswer is what a pack lets the site set, with what is in force.
type parameterAnswer struct {
	Pack    string      `json:"pack"`
	Name    string      `json:"name"`
	Title   string      `json:"title,omitempty"`
	Value   rules.Value `json:"value"`
	Default rules.Value `json:"default"`
	Min     rules.Value `json:"min"` // null of a switch
	Max     rules.Value `json:"max"`
	Unit    string      `json:"unit,omitempty"`
	Site    bool        `json:"site"` // whether the site set the value
}

type ruleAnswer struct {
	ID       string   `json:"id"`
	Pack     string   `json:"pack"`
	Version  int      `json:"version"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	ForEach  string   `json:"forEach,omitempty"` // the input for each of whose periods it holds
	Source   string   `json:"source,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
}

// getRules lists the active rules.
func (s *Server) getRules(w http.ResponseWriter, _ *http.Request) {
	answer := ruleSetAnswer{Rules: []ruleAnswer{}}
	if plan := s.options.Rules.Plan(); plan != nil {
		p := plan.Program
		answer.RuleSet, answer.Parameters = p.Hash, parametersOf(p)
		for _, r := range p.Rules {
			answer.Rules = append(answer.Rules, ruleAnswer{ID: r.ID, Pack: r.Pack, Version: r.Version, Title: r.Title,
				Severity: r.Severity.String(), ForEach: p.ForEach(r), Source: r.Source, Tags: r.Tags, File: r.File, Line: r.Line})
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

// parametersOf lists the parameters of a program.
func parametersOf(p *rules.Program) []parameterAnswer {
	var list []parameterAnswer
	for _, q := range p.Parameters {
		list = append(list, parameterAnswer{Pack: q.Pack, Name: q.Name, Title: q.Title, Value: q.Value, Default: q.Default,
			Min: q.Min, Max: q.Max, Unit: q.Unit, Site: q.Site})
	}
	return list
}

// activation is the body of POST /v1/rules/activate: the files of the set, as text.
type activation struct {
	Files []struct {
		Name string `json:"name"`
		Data string `json:"data"`
	} `json:"files"`
}

type ruleFault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Problem string `json:"problem"`
	Hint    string `json:"hint,omitempty"`
}

// activateRules makes a rule set active, or says everything that is wrong with it.
func (s *Server) activateRules(w http.ResponseWriter, r *http.Request) {
	body, refused := s.readBody(w, r, jsonMedia)
	if refused != nil {
		refused.write(w, false)
		return
	}
	var a activation
	if err := json.Unmarshal(body, &a); err != nil || len(a.Files) == 0 {
		refuse(http.StatusBadRequest, "bad-body", "structure", "the body does not hold the files of a rule set",
			`send {"files": [{"name": "pack.yaml", "data": "…"}]}, or use vigil rules activate`).write(w, false)
		return
	}
	files := make([]clinical.File, len(a.Files))
	for i, f := range a.Files {
		files[i] = clinical.File{Name: f.Name, Data: []byte(f.Data)}
	}
	set := rules.NewSet(files...)
	hash, err := s.options.Rules.Activate(r.Context(), set)
	var faults rules.Faults
	switch {
	case errors.As(err, &faults):
		p := newProblem(http.StatusUnprocessableEntity, "rule-set-faults", "the rule set has faults", "",
			"mend them and send the set again; the rules that were active still are")
		list := make([]ruleFault, len(faults))
		for i, f := range faults {
			list[i] = ruleFault(f)
		}
		p.Faults = list
		p.write(w)
	case errors.Is(err, ErrNotServed):
		s.notAnswered(w, r, "activating rules", err)
	case err != nil:
		s.failed(r, "activating rules", err)
		unavailable().write(w, false)
	default:
		writeJSON(w, http.StatusOK, map[string]string{"ruleSet": hash})
	}
}
