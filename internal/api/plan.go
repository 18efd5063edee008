package api

import (
	"context"
	"net/http"

	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/planning"
	"github.com/vigil-cds/vigil/rules"
)

// getPlan answers how a rule of the active rule set is folded and read.
func (s *Server) getPlan(w http.ResponseWriter, r *http.Request) {
	if _, refused := knownQuery(r); refused != nil {
		refused.write(w, false)
		return
	}
	plan := s.options.Rules.Plan()
	if plan == nil {
		ruleless().write(w, false)
		return
	}
	rule, refused := ruleOf(plan.Program, r.PathValue("rule"))
	if refused != nil {
		refused.write(w, false)
		return
	}
	writeJSON(w, http.StatusOK, planning.Of(plan, rule))
}

// getPatientPlan answers the same, and how the rule stands for one patient.
func (s *Server) getPatientPlan(w http.ResponseWriter, r *http.Request) {
	patient, options, wait, refused := s.patientRead(r)
	if refused != nil {
		refused.write(w, false)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	got, err := s.options.Reader.Whole(ctx, patient, options)
	if err != nil {
		s.notAnswered(w, r, "reading a patient", err)
		return
	}
	if got.Plan == nil {
		ruleless().write(w, false)
		return
	}
	rule, refused := ruleOf(got.Plan.Program, r.PathValue("rule"))
	if refused != nil {
		refused.write(w, false)
		return
	}
	if !got.Patient.Known {
		refuse(http.StatusNotFound, "unknown-patient", "processing", "nothing is known about this patient", "check the id").write(w, false)
		return
	}
	standing, err := planning.Stands(got.Plan, rule, patient, got.Patient.History, got.Now)
	if err != nil {
		s.notAnswered(w, r, "writing a plan", err)
		return
	}
	answer := planning.Of(got.Plan, rule)
	answer.Patients = []planning.Standing{standing}
	writeJSON(w, http.StatusOK, answer)
}

// ruleOf finds a rule of the active set.
func ruleOf(program *rules.Program, id string) (*rules.Rule, *refusal) {
	if len(id) > mostRuleID {
		return nil, unknownRule(&replay.UnknownRule{})
	}
	rule, ok := program.Rule(id)
	if !ok {
		return nil, unknownRule(&replay.UnknownRule{Rule: id, Nearest: rules.NearestRule(program, id)})
	}
	return rule, nil
}

func ruleless() *refusal {
	return refuse(http.StatusUnprocessableEntity, "no-rule-set", "processing", "no rule set is active",
		"activate one with vigil rules activate")
}
