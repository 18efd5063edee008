package equivalence

import "testing"

// Each case asks about ten thousand things, so that a few of them go a long way.
func TestWhatAPlanCallsSettledTimeAloneDoesNotChange(t *testing.T) {
	const first = 40_000
	cases := uint64(20 + *comparisons/5000)
	b := &Bench{Store: open(t, first), Outlines: true}
	defer b.Store.Close()
	for seed := uint64(first); seed < first+cases; seed++ {
		if err := b.Run(Draw(seed)); err != nil {
			t.Fatalf("case %d: %v", seed, err)
		}
	}
	if b.Outlined == 0 {
		t.Error("nothing was compared")
	}
	t.Logf("%d terms and atoms held to what was said of them", b.Outlined)
}
