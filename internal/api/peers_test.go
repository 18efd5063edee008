package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeCluster lists the same instances for whatever is asked.
type fakeCluster struct {
	answering, others []string
	partitions        int
}

func (c *fakeCluster) Answering(Purpose, int32) []string { return c.answering }
func (c *fakeCluster) Others(Purpose) []string           { return c.others }
func (c *fakeCluster) Partitions() int                   { return c.partitions }

// instance is a service at an address of its own.
type instance struct {
	*service
	cluster *fakeCluster
	url     string
	asked   []*http.Request
}

func newInstance(t *testing.T) *instance {
	i := &instance{cluster: &fakeCluster{partitions: 4}}
	i.service = newService(t, func(o *Options) { o.Cluster, o.Self = i.cluster, "http://self" })
	i.cluster.answering = []string{""}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked = append(i.asked, r.Clone(context.WithoutCancel(r.Context())))
		i.Handler().ServeHTTP(w, r)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// gone is the URL of an instance that is not there any more.
func gone(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

const askAlerts = "/v1/patients/p1/alerts?all=true"

func TestAQuestionIsPassedOnOnceToWhoOwnsThePatient(t *testing.T) {
	asked, owner := newInstance(t), newInstance(t)
	asked.cluster.answering = []string{owner.url}
	owner.cluster.answering = []string{asked.url} // it thinks otherwise, and answers all the same
	w := asked.do("GET", askAlerts, "", "Authorization", "Bearer token", "Accept", "application/json", "Cookie", "private=1")
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "p1", object(t, w)["patient"])
	require.Equal(t, owner.url, w.Header().Get(answeredHeader))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Empty(t, asked.reader.patient)
	require.True(t, owner.reader.options.All)
	require.Len(t, owner.asked, 1)
	got := owner.asked[0]
	require.Equal(t, askAlerts, got.RequestURI)
	require.Equal(t, 2, got.ProtoMajor)
	require.Equal(t, "Bearer token", got.Header.Get("Authorization"))
	require.Empty(t, got.Header.Get("Cookie"))
	require.Equal(t, "http://self", got.Header.Get(passedHeader))
	require.Empty(t, asked.asked, "no circle")
}

func TestAnAnswerThatSaysNoIsPassedBack(t *testing.T) {
	asked, owner := newInstance(t), newInstance(t)
	asked.cluster.answering = []string{owner.url}
	for path, status := range map[string]int{
		"/v1/patients/p1/alerts?nonsense=1":           400,
		"/v1/patients/p1/plan/r":                      422,
		"/v1/patients/p1/explain/r?at=yesterday":      400,
		"/v1/patients/p1/explanations?limit=everyone": 400,
	} {
		before := len(owner.asked)
		require.Equal(t, status, asked.do("GET", path, "").Code, path)
		require.Len(t, owner.asked, before+1, path)
	}
	require.Equal(t, 400, asked.do("GET", "/v1/patients/p%20/alerts", "").Code, "nobody needs to be asked about that")
}

func TestWhoeverHasACopyAnswersForAnOwnerThatIsGone(t *testing.T) {
	asked, copied := newInstance(t), newInstance(t)
	dead := gone(t)
	asked.cluster.answering = []string{dead, copied.url}
	require.Equal(t, 200, asked.do("GET", askAlerts, "").Code)
	require.Equal(t, "p1", copied.reader.patient)
	require.Equal(t, []string{copied.url, dead}, asked.peers.believed([]string{dead, copied.url}), "it is not asked again at once")

	asked.cluster.answering = []string{dead, "", copied.url}
	require.Equal(t, 200, asked.do("GET", askAlerts, "").Code)
	require.Equal(t, "p1", asked.reader.patient, "a copy here is nearer")

	copied.reader.err, asked.reader.err = ErrCatchingUp, ErrCatchingUp
	w := asked.do("GET", askAlerts, "")
	problemOf(t, w, 503, "catching-up")
	require.Equal(t, "1", w.Header().Get("Retry-After"))
}

func TestAnOwnerThatDoesNotAnswerIsNotWaitedFor(t *testing.T) {
	asked := newInstance(t)
	stalled := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stalled }))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	defer close(stalled)
	asked.cluster.answering = []string{server.URL, ""}
	require.Equal(t, 200, asked.do("GET", askAlerts, "").Code)
	require.Equal(t, "p1", asked.reader.patient)
}

func TestACopyThatIsBehindAPositionSaysSo(t *testing.T) {
	s := newInstance(t)
	s.reader.err = ErrCopyBehind
	w := s.do("GET", askAlerts+"&min_position=e0.5", "")
	problemOf(t, w, 503, "copy-behind")
	require.Equal(t, "1", w.Header().Get("Retry-After"))
}

func TestTheOthersAreAskedWhoseAResourceIs(t *testing.T) {
	asked, other := newInstance(t), newInstance(t)
	all := []int32{0, 1, 2, 3}
	other.options.Owners = placed{map[string]string{"Observation/o1": "p2"}, all[2:]}
	asked.options.Owners = placed{nil, all[:2]}
	asked.cluster.others = []string{other.url}
	asked.do("PUT", "/fhir/Observation/o1", observation)
	require.Equal(t, []string{"DELETE p2", "PUT p1"}, asked.written())
	asked.do("PUT", "/fhir/Observation/o1", observation)
	require.Len(t, other.asked, 1, "what was written here is known here")
	require.Equal(t, 204, asked.do("DELETE", "/fhir/Observation/o1", "").Code)

	other.options.Owners = placed{map[string]string{"Observation/o2": "p3"}, all[2:]}
	require.Equal(t, 204, asked.do("DELETE", "/fhir/Observation/o2", "").Code)
	require.Equal(t, 404, asked.do("DELETE", "/fhir/Observation/o3", "").Code)
	asked.log.events = nil

	// While a partition changes hands it is waited for; one that stays away does not keep new results out.
	asked.cluster.others, asked.peers.changing = []string{gone(t)}, 100*time.Millisecond
	require.Equal(t, 200, asked.do("PUT", "/fhir/Observation/o4", strings.ReplaceAll(observation, "o1", "o4")).Code)
	require.Equal(t, []string{"PUT p1"}, asked.written())
	require.Equal(t, 503, asked.do("DELETE", "/fhir/Observation/o5", "").Code, "it may well be there")
}

// placed is what the stores of some partitions know.
type placed struct {
	patients   map[string]string
	partitions []int32
}

func (o placed) Owners(context.Context, []string) (Owned, error) {
	return Owned{Patients: o.patients, Partitions: o.partitions}, nil
}

func TestAnotherInstanceIsToldWhatWasWrittenHereLately(t *testing.T) {
	s := newInstance(t)
	s.taken()
	w := s.do("POST", "/v1/resources/patients", `{"resources":["Observation/o1","Observation/o9"]}`)
	require.JSONEq(t, `{"patients":{"Observation/o1":"p1"},"partitions":null}`, w.Body.String())
	require.Equal(t, 400, s.do("POST", "/v1/resources/patients", `[]`).Code)
}

func TestAWorklistSaysWhoAsksForIt(t *testing.T) {
	asked, other := newInstance(t), newInstance(t)
	other.worklist.page = WorklistPage{Alerts: []WorklistAlert{{Patient: "p", Rule: "r"}}, Partitions: []int32{1}}
	asked.do("GET", "/v1/alerts?rule=r", "")
	require.False(t, asked.worklist.query.Here)
	page, err := asked.worklist.query.Ask(other.url)
	require.NoError(t, err)
	require.Equal(t, other.worklist.page, page)
	require.True(t, other.worklist.query.Here)
	require.Equal(t, "r", other.worklist.query.Rule)
	_, err = asked.worklist.query.Ask(gone(t))
	require.Error(t, err)
}
