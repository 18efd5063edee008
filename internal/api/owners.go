package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vigil-cds/vigil/internal/access"
)

// whose finds for whom resources state facts, as far as the store of this process knows, and in a cluster
// those of the others. certain says that every partition was looked at; one whose owner is lost and of which
// nobody has a copy cannot be, until it is read from the log anew. The error says that the store cannot be
// read.
func (s *Server) whose(r *http.Request, resources []string) (known map[string]string, certain bool, err error) {
	here, err := s.options.Owners.Owners(r.Context(), resources)
	if err != nil && !errors.Is(err, ErrNotServed) { // an intake by itself has no store to ask
		return nil, false, err
	}
	known = make(map[string]string)
	maps.Copy(known, here.Patients)
	if s.options.Cluster == nil || len(resources) == 0 {
		return known, true, nil
	}
	ask := slices.DeleteFunc(slices.Clone(resources), func(name string) bool {
		_, ok := s.recent.get(name)
		return ok || known[name] != ""
	})
	certain = true
	for part := range slices.Chunk(ask, mostOwners) {
		certain = s.askWhose(r, here.Partitions, part, known) && certain
	}
	if !certain {
		s.peers.uncertain.Inc()
	}
	return known, certain, nil
}

// errUncertain means that a resource may be one of a partition that cannot be looked at.
var errUncertain = errors.New("nobody can say at this moment whose the resource is")

// ownersPath is where an instance asks another.
const ownersPath = "/v1/resources/patients"

// mostOwners is how many resources one instance asks another about at a time.
const mostOwners = 1000

// ownersQuestion is what POST /v1/resources/patients asks.
type ownersQuestion struct {
	Resources []string `json:"resources"`
}

// ownersPause is between two looks at partitions that change hands.
const ownersPause = 50 * time.Millisecond

// askWhose asks the others, all at once, and adds what they know, until every partition is looked at.
func (s *Server) askWhose(r *http.Request, here []int32, resources []string, known map[string]string) (certain bool) {
	body, err := json.Marshal(ownersQuestion{resources})
	if err != nil {
		return false
	}
	covered := make(map[int32]bool)
	for _, n := range here {
		covered[n] = true
	}
	for began := time.Now(); ; {
		if len(covered) >= s.options.Cluster.Partitions() {
			return true
		}
		others := s.options.Cluster.Others(ForRules)
		answers := make([]Owned, len(others))
		var joined sync.WaitGroup
		for i, url := range others {
			joined.Go(func() {
				var a Owned
				if s.peers.ask(r, url, http.MethodPost, ownersPath, body, &a) == nil {
					answers[i] = a
				}
			})
		}
		joined.Wait()
		for _, a := range answers {
			maps.Copy(known, a.Patients)
			for _, n := range a.Partitions {
				covered[n] = true
			}
		}
		if len(covered) >= s.options.Cluster.Partitions() {
			return true
		}
		if time.Since(began) > s.peers.changing || r.Context().Err() != nil {
			return false
		}
		time.Sleep(ownersPause)
	}
}

// postOwners answers another instance for whom resources state facts in the partitions of this one.
func (s *Server) postOwners(w http.ResponseWriter, r *http.Request) {
	if _, refused := knownQuery(r); refused != nil {
		refused.write(w, false)
		return
	}
	body, refused := s.readBody(w, r, jsonMedia)
	if refused != nil {
		refused.write(w, false)
		return
	}
	var q ownersQuestion
	if err := json.Unmarshal(body, &q); err != nil || len(q.Resources) > mostOwners {
		refuse(http.StatusBadRequest, "bad-body", "structure", "the body is not a list of resources",
			fmt.Sprintf(`write it as {"resources": ["Observation/7"]}, with at most %d`, mostOwners)).write(w, false)
		return
	}
	if !s.mayKnowOf(r, q.Resources) {
		refusedCaller(access.Write).challenge(w, r)
		return
	}
	owned, err := s.options.Owners.Owners(r.Context(), q.Resources)
	if err != nil && !errors.Is(err, ErrNotServed) {
		s.notAnswered(w, r, "finding whose a resource is", err)
		return
	}
	answer := Owned{Patients: make(map[string]string), Partitions: owned.Partitions}
	maps.Copy(answer.Patients, owned.Patients)
	for _, name := range q.Resources { // what was written here lately is newer than any store
		if patient, ok := s.recent.get(name); ok {
			answer.Patients[name] = patient
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

// former is for whom else the resource states facts, as far as the service remembers and the stores know: a
// version that names another patient must take the facts away from them. It may be one of whom the facts
// were taken already, which changes nothing. The DELETE is limited to the version, so that one which arrives
// late takes nothing away; one number used for two patients is therefore stated for both.
func (s *Server) former(resource, patient string, known map[string]string) (former []string) {
	if p, ok := s.recent.get(resource); ok && p != "" && p != patient {
		former = append(former, p)
	}
	if p := known[resource]; p != "" && p != patient && !slices.Contains(former, p) {
		former = append(former, p)
	}
	return former
}

// owner is for whom the resource states facts; "" when nobody knows of it.
func (s *Server) owner(resource string, known map[string]string) string {
	if patient, ok := s.recent.get(resource); ok {
		return patient
	}
	return known[resource]
}
