package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/explain/record"
)

func (a *app) explainVerifyCommand() *cobra.Command {
	var server, patient string
	c := &cobra.Command{
		Use:   "verify [FILE…]",
		Short: "Check that no explanation was changed, left out or put in afterwards",
		Long: `Walks the chains of explanations and says where they break: in the archive of a running service, or in
files that vigil explain export wrote, for which no service is needed. A file that begins in the middle
of a chain is held to what it has. The exit code is 1 when a chain is broken.`,
		Example: `  vigil explain verify
  vigil explain verify --patient 123
  vigil explain verify export.ndjson`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.verifyServer(c, server, patient)
			}
			if c.Flags().Changed("server") {
				return misused("--server and FILE cannot both be verified: leave one out")
			}
			return a.verifyFiles(args, patient)
		},
	}
	a.addServerFlag(c, &server)
	c.Flags().StringVar(&patient, "patient", "", "only this patient's (default: everybody's)")
	return c
}

func (a *app) verifyServer(c *cobra.Command, server, patient string) error {
	client, err := a.newClient(server, 0)
	if err != nil {
		return err
	}
	defer client.close()
	client.http.Timeout = 0 // all chains of an archive take their time
	path := "/v1/explanations/verify"
	if patient != "" {
		path += "?patient=" + url.QueryEscape(patient)
	}
	got, err := client.send(c.Context(), http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return got.refused()
	}
	var found verification
	if err := json.Unmarshal(got.body, &found); err != nil {
		return fmt.Errorf("reading the service's answer: %w; is %s a Vigil of this version?", err, server)
	}
	return a.printVerification(&found)
}

// verification is a record.Verification whose breaks have places in files, where it is of files.
type verification struct {
	Patients     int64         `json:"patients"`
	Explanations int64         `json:"explanations"`
	Parts        int64         `json:"parts"`
	Breaks       []placedBreak `json:"breaks"`
}

type placedBreak struct {
	record.Break
	Place string `json:"place,omitempty"` // "export.ndjson:7"
}

func (a *app) printVerification(v *verification) error {
	if v.Breaks == nil {
		v.Breaks = []placedBreak{}
	}
	if a.json() {
		if err := a.printJSON(v); err != nil {
			return err
		}
	} else {
		v.print(a.stdout)
	}
	if len(v.Breaks) > 0 {
		fmt.Fprintf(a.stderr, "vigil: the explanations cannot be relied on: %s\n", plural(len(v.Breaks), "break"))
		return errReported
	}
	return nil
}

func (v *verification) print(w io.Writer) {
	for i := range v.Breaks {
		b := &v.Breaks[i]
		if b.Place != "" {
			fmt.Fprintf(w, "%s: ", b.Place)
		}
		if b.Patient != "" {
			fmt.Fprintf(w, "patient %s: ", b.Patient)
		}
		fmt.Fprintln(w, b.Error())
	}
	fmt.Fprintf(w, "%s of %s", plural(int(v.Explanations), "explanation"), plural(int(v.Patients), "patient"))
	if len(v.Breaks) == 0 {
		fmt.Fprint(w, ", every chain holds")
	}
	fmt.Fprintln(w)
	if v.Parts > 0 {
		fmt.Fprintf(w, "of %s only a later part is there: what lies before it is taken on trust\n", plural(int(v.Parts), "chain"))
	}
}

// verifyFiles walks the chains in files, each patient's in the order in which they are there.
func (a *app) verifyFiles(names []string, patient string) error {
	files, passedOver, err := expand(names)
	if err != nil {
		return err
	}
	w := &walks{only: patient, of: map[string]*walk{}}
	read := 0
	for _, name := range files {
		passed, err := readFile(name, a.stdin, func(r io.Reader) io.Reader { return r }, func(i item) error {
			read++
			w.take(i)
			return nil
		})
		if err != nil {
			return err
		}
		passedOver += passed
	}
	if read == 0 {
		return nothing("verify", names, passedOver)
	}
	found := w.end()
	if patient != "" && found.Patients == 0 && len(found.Breaks) == 0 {
		return fmt.Errorf("nothing to verify: the files have no explanation of this patient")
	}
	return a.printVerification(found)
}

// walks are the chains of the patients in files.
type walks struct {
	only   string // a patient; "": everybody
	of     map[string]*walk
	breaks []placedBreak
}

type walk struct {
	record.Verifier
	told int // of its breaks, how many are among those of walks
}

// take takes the next explanation of a file.
func (w *walks) take(i item) {
	var e record.Explanation
	d := json.NewDecoder(bytes.NewReader(i.body))
	d.DisallowUnknownFields() // what is not in the hash proves nothing
	err := d.Decode(&e)
	if err == nil && e.Schema != record.Schema {
		err = fmt.Errorf("schema %d", e.Schema)
	}
	if err != nil {
		// As far as it can be told, it is a link of this patient's chain.
		var link struct {
			Patient  string
			Sequence int64
		}
		_ = json.Unmarshal(i.body, &link)
		e.Patient, e.Sequence = link.Patient, link.Sequence
	}
	switch {
	case e.Patient == "":
		w.breaks = append(w.breaks, placedBreak{record.Break{Reason: record.Altered}, i.place})
		return
	case w.only != "" && e.Patient != w.only:
		return
	}
	chain := w.of[e.Patient]
	if chain == nil {
		chain = &walk{Verifier: record.Verifier{Patient: e.Patient}}
		w.of[e.Patient] = chain
	}
	if err != nil {
		err = chain.Unreadable(e.Sequence)
	} else {
		err = chain.Next(&e)
	}
	if err == nil {
		return
	}
	all := chain.Breaks()
	for _, b := range all[chain.told:] {
		w.breaks = append(w.breaks, placedBreak{b, i.place})
	}
	chain.told = len(all)
}

func (w *walks) end() *verification {
	var sum record.Verification
	for _, chain := range w.of {
		sum.Add(&chain.Verifier)
	}
	return &verification{Patients: sum.Patients, Explanations: sum.Explanations, Parts: sum.Parts, Breaks: w.breaks}
}
