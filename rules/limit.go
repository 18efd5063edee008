package rules

import (
	"cmp"
	"fmt"

	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Limits of a set and its packs: far above what people write, low enough that whoever may send a pack cannot
// take the time or the memory of the process with it. Those of an expression and of a rule stand beside
// MaxExpression, MaxTerms, MaxReferences and MaxCost, those of scores, tables and value sets beside theirs.
const (
	// MaxPack is the size of a pack in bytes.
	MaxPack = 8 << 20
	// MaxRules is how many rules a set may have.
	MaxRules = 20_000
	// MaxInputs is how many inputs a pack may declare.
	MaxInputs = 2000
	// MaxChain is how long a chain of inputs may be of which each is made from the next or asks it.
	MaxChain = 32
	// MaxConditions is how many conditions a fact must meet to belong to an input, with those of the inputs
	// that it is made from.
	MaxConditions = 100
	// MaxMessage is the length of a rule's message in bytes.
	MaxMessage = 16 << 10
	// MaxFaults is how many faults are listed.
	MaxFaults = 1000
)

// Limits of a YAML file before it is parsed: the parser's own time grows with the square of some of these,
// and it calls itself for each level, for each key of a mapping and for each document.
const (
	// maxMarks is how many characters of a file may begin or end a token. A token takes some hundred bytes,
	// with what the parser makes of it a thousand; a rule as people write it has about forty marks.
	maxMarks = 1_000_000
	// maxYAMLNesting leaves room for MaxNesting conditions, each a key and a list.
	maxYAMLNesting = 100
	// maxKeys is how many keys one mapping may have.
	maxKeys = 4000
	// maxOddities is how many anchors, aliases, tags, complex keys and documents are each reported.
	maxOddities = 100
)

// limited says whether a file is small enough to be looked at, and reports where it is not.
func limited(name, text string, r *report) bool {
	if len(text) > MaxPack {
		r.add(position{name, 1, 1}, fmt.Sprintf("the file is larger than %d MB", MaxPack>>20), "split the pack; large value sets go into FHIR files of their own")
		return false
	}
	if marked(text) > maxMarks {
		r.add(position{name, 1, 1}, fmt.Sprintf("the file has more than %d line ends, quotes, brackets, colons, commas and dashes", maxMarks),
			"split the pack; large value sets go into FHIR files of their own")
		return false
	}
	return true
}

// tokens reads a file as far as the words and marks of YAML, and reports where it goes beyond a limit.
func tokens(src *source, text string, r *report) (token.Tokens, bool) {
	var out token.Tokens
	var s scanner.Scanner
	s.Init(text)
	for {
		more, err := s.Scan()
		out.Add(more...)
		if err != nil { // the end, or a token that is invalid, which the parser reports
			break
		}
	}
	var nested nesting
	for _, tk := range out {
		if problem, hint := nested.take(tk); problem != "" {
			if tk.Type == token.MappingValueType {
				tk = cmp.Or(tk.Prev, tk) // the key
			}
			r.add(src.place(tk.Position.Line, tk.Position.Column), problem, hint)
			return nil, false
		}
	}
	return out, true
}

// marked counts the characters that may begin or end a token: a file has at most twice as many tokens.
func marked(text string) int {
	n := 0
	for i := range len(text) {
		switch text[i] {
		case '\n', '\t', '[', ']', '{', '}', ',', ':', '-', '?', '!', '&', '*', '\'', '"':
			n++
		}
	}
	return n
}

// nesting follows the tokens of a file into its lists and mappings.
type nesting struct {
	blocks   []blockLevel
	flow     int
	oddities int
}

// blockLevel is a list or a mapping that is written by indentation.
type blockLevel struct{ column, keys int }

func (n *nesting) take(tk *token.Token) (problem, hint string) {
	switch tk.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.flow++
	case token.SequenceEndType, token.MappingEndType:
		n.flow = max(n.flow-1, 0)
	case token.SequenceEntryType:
		n.block(tk.Position.Column, 0)
	case token.MappingValueType:
		if key := cmp.Or(tk.Prev, tk); n.flow == 0 && n.block(key.Position.Column, 1) > maxKeys {
			return fmt.Sprintf("a mapping has more than %d keys", maxKeys), "split the pack; large value sets go into FHIR files of their own"
		}
	case token.MappingKeyType, token.AnchorType, token.AliasType, token.TagType, token.DocumentHeaderType, token.DocumentEndType, token.DirectiveType:
		if n.oddities++; n.oddities > maxOddities {
			return fmt.Sprintf("the file has more than %d anchors, aliases, tags and documents", maxOddities), "none of them is part of the pack format: write texts out where they are used"
		}
	}
	if n.flow+len(n.blocks) > maxYAMLNesting {
		return fmt.Sprintf("lists and keys are nested more than %d deep", maxYAMLNesting), "a pack needs a few levels: split what is nested"
	}
	return "", ""
}

// block ends the levels to the right of a column, counts keys of the level there, and says how many it has.
func (n *nesting) block(column, keys int) int {
	for len(n.blocks) > 0 && n.blocks[len(n.blocks)-1].column > column {
		n.blocks = n.blocks[:len(n.blocks)-1]
	}
	if len(n.blocks) == 0 || n.blocks[len(n.blocks)-1].column < column {
		n.blocks = append(n.blocks, blockLevel{column: column})
	}
	top := &n.blocks[len(n.blocks)-1]
	top.keys += keys
	return top.keys
}
