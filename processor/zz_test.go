package processor
import ("testing";"fmt")
func dumpDup(t *testing.T, c Config, n int) {
	seen := map[string][]string{}
	for _, m := range readAll(t, c, c.Topics().Alerts.Name, n) {
		k := fmt.Sprint(m.Partition, "/", string(m.Headers[1].Value))
		seen[k] = append(seen[k], fmt.Sprint(m.Offset, " ", string(m.Headers[0].Value)))
	}
	for k, v := range seen { if len(v) > 1 { fmt.Println("DUP", k, v) } }
	ids := map[string]string{}
	for k, v := range seen { for _, x := range v { var o int; var id string; fmt.Sscan(x, &o, &id); if p, ok := ids[id]; ok && p != k { fmt.Println("SAME ID, OTHER NUMBER", id, p, k) }; ids[id] = k } }
	for _, m := range readAll(t, c, c.Topics().Facts.Name, 1) { _ = m }
}
