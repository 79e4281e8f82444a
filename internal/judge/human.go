package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
)

// Effect is what a person's statement did to an assessment.
type Effect string

// The effects, weightiest first.
const (
	// Contradicted: a person says not_affected, and the package was seen in use.
	// The assessment stays affected.
	Contradicted Effect = "contradicted"
	// Raised: a person says worse than the evidence does, and that holds.
	Raised Effect = "raised"
	// Cleared: a person says not_affected or fixed where the evidence does not
	// tell, or fixed of this very version; that holds.
	Cleared Effect = "cleared"
	// Agrees: both say the same, or the evidence says better on its own.
	Agrees Effect = "agrees"
	// NoEffect: it clears nothing; Why says the reason.
	NoEffect Effect = "no-effect"
)

// Effects lists the effects in their order.
var Effects = []Effect{Contradicted, Raised, Cleared, Agrees, NoEffect}

// Human is a person's statement on an assessment, foreign text, as it was made.
type Human struct {
	Effect Effect `json:"effect"`
	// Why says why it has no effect.
	Why           string    `json:"why,omitempty"`
	Status        Status    `json:"status"`
	Author        string    `json:"author"`
	Role          string    `json:"role,omitempty"`
	At            time.Time `json:"at,omitzero"`
	Justification string    `json:"justification,omitempty"`
	Impact        string    `json:"impact_statement,omitempty"`
	Action        string    `json:"action_statement,omitempty"`
	Notes         string    `json:"status_notes,omitempty"`
	// Document is the @id of the OpenVEX document, Source its path.
	Document string `json:"document,omitempty"`
	Source   string `json:"source"`
	// Foreign says that another job's record told of it.
	Foreign bool `json:"from_another_job,omitempty"`
}

// Triage is what people's statements did to a judgement; nil where none were
// given.
type Triage struct {
	Documents []TriageDocument `json:"documents"`
	// Effects counts assessments.
	Effects map[Effect]int `json:"effects"`
}

// Of counts the assessments with an effect.
func (t *Triage) Of(e Effect) int {
	if t == nil {
		return 0
	}
	return t.Effects[e]
}

// TriageDocument is one document that was read, or could not be.
type TriageDocument struct {
	Source     string `json:"source"`
	ID         string `json:"id,omitempty"`
	Author     string `json:"author,omitempty"`
	Statements int    `json:"statements"`
	Unread     int    `json:"unread,omitempty"`
	Problem    string `json:"problem,omitempty"`
	// Foreign says that another job's record told of it.
	Foreign bool `json:"from_another_job,omitempty"`
}

// statedBy makes ready what the record keeps of people's statements; nil for
// none.
func statedBy(r record.Record) (*triage.Set, *triage.Matcher) {
	data, kept := r.Raw[record.RawTriage]
	if !kept {
		return nil, nil
	}
	set := triage.Decode(data)
	return set, set.Matcher(r.Subject, r.Run.FinishedAt)
}

// heed lets a person's statement decide where it may. People know more than the
// evidence, but never better than it what was used: what was seen in use stays
// affected, and where the evidence could not have contradicted a person it
// clears nothing on that person's word. Whatever makes a finding worse holds.
func (c *court) heed(d *draft) {
	if c.people == nil {
		return
	}
	// A version without its epoch is another one, and a name in lower case another
	// package: no person spoke of this one by it, though a consumer looks for it so.
	purls := slices.DeleteFunc(slices.Clone(d.SubcomponentPURLs), func(s string) bool {
		return slices.Contains(d.names, s) && !c.exhibits[d.exhibit].key.synonymous()
	})
	var instances [][]string
	for _, id := range d.PackageIDs {
		purls := slices.Clone(purls)
		if i, known := c.byID[id]; known {
			purls = append(purls, c.record.Inventory.Packages[i].PURL)
		}
		instances = append(instances, purls)
	}
	own, foreign := c.people.Find(append([]string{d.Vulnerability}, d.Aliases...), instances)
	status, reason := d.Status, d.Reason
	if own != nil {
		c.hear(d, own)
	}
	// What another job's record tells may raise a finding, and silence nobody.
	if foreign != nil && (own == nil || worse(Status(foreign.Status), d.Status)) {
		d.Status, d.Reason = status, reason
		c.hear(d, foreign)
	}
}

// hear lets one claim decide where it may.
func (c *court) hear(d *draft, claim *triage.Claim) {
	d.Human = &Human{
		Status: Status(claim.Status), Author: claim.Document.Author, Role: claim.Document.Role, At: claim.At,
		Justification: claim.Justification, Impact: claim.Impact, Action: claim.Action, Notes: claim.Notes,
		Document: claim.Document.ID, Source: claim.Document.Source, Foreign: claim.Document.Foreign, Effect: Agrees,
	}
	switch said := d.Human.Status; {
	case claim.Void != "":
		d.Human.Effect, d.Human.Why = NoEffect, claim.Void
	case said == Affected || said == UnderInvestigation:
		if worse(said, d.Status) {
			d.rule(said, Raised)
		}
	case claim.Document.Foreign:
		d.Human.Effect, d.Human.Why = NoEffect, "another job's record clears nothing"
	case said == Fixed:
		c.heedFixed(d)
	case said != NotAffected:
		d.Human.Effect, d.Human.Why = NoEffect, "it has no status that is known"
	case d.Status == Affected:
		d.Human.Effect = Contradicted
	case d.Status == UnderInvestigation:
		if d.Human.Why = c.deaf(d); d.Human.Why != "" {
			d.Human.Effect = NoEffect
			return
		}
		d.rule(NotAffected, Cleared)
	}
}

// heedFixed lets a package be fixed, used or not, where a person says so: of this
// version, or the claim is void.
func (c *court) heedFixed(d *draft) {
	switch {
	case d.Status == Fixed:
	case d.PURL == "" || d.nameless:
		d.Human.Effect, d.Human.Why = NoEffect, "no package URL with a version tells the package apart"
	default:
		d.rule(Fixed, Cleared)
	}
}

// deaf says why nothing is called not affected on a person's word.
func (c *court) deaf(d *draft) string {
	switch {
	case !c.sufficient:
		return "the evidence is insufficient: it could not have contradicted the statement"
	case d.PURL == "" || d.nameless || d.Reason == ReasonUnidentified:
		return "no package URL with a version tells the package apart"
	}
	return ""
}

func (d *draft) rule(s Status, e Effect) {
	d.own, d.ownReason = d.Status, d.Reason
	d.Status, d.Reason, d.Human.Effect = s, ReasonHuman, e
}

// restore takes people's statements back that could not hold, as consumers
// could read them as ones on other packages, and gives the drafts what the
// evidence says where that is worse. It reports whether anything became worse.
func restore(drafts []*draft) bool {
	worsened := false
	for _, d := range drafts {
		if d.Human == nil || d.Human.Effect != Cleared || d.Status == d.Human.Status {
			continue
		}
		d.Human.Effect, d.Human.Why = NoEffect, fmt.Sprintf("consumers could read it as one on another package (%s)", d.Reason)
		if worse(d.own, d.Status) {
			d.Status, d.Reason, worsened = d.own, d.ownReason, true
		}
	}
	return worsened
}

// stated is the text on what a person decided.
func stated(a *Assessment) string {
	h := a.Human
	why := h.Notes
	switch {
	case h.Status == NotAffected && h.Justification != "":
		why = h.Justification
	case h.Status == NotAffected && h.Impact != "":
		why = h.Impact
	case h.Status == Affected && h.Action != "":
		why = h.Action
	}
	text := "Stated by " + foreign.Text(h.Author).Line(100)
	if !h.At.IsZero() {
		text += " on " + h.At.Format(time.DateOnly)
	}
	text += " in " + foreign.Text(h.Source).Line(80)
	if h.Foreign {
		text += " by the record of another job"
	}
	if why = strings.TrimSpace(why); why != "" {
		text += ": " + foreign.Text(why).Line(160)
	}
	switch h.Effect {
	case Raised:
		return text + ". The evidence alone would not say so."
	case Cleared:
		if h.Status == Fixed {
			return text + "."
		}
		return text + ". The evidence does not tell, and no use was seen that contradicts it."
	}
	return text
}

// review counts what people's statements came to.
func (c *court) review(drafts []*draft) *Triage {
	if c.stated == nil {
		return nil
	}
	t := &Triage{Documents: []TriageDocument{}, Effects: map[Effect]int{}}
	for _, e := range Effects {
		t.Effects[e] = 0
	}
	for i := range c.stated.Documents {
		d := &c.stated.Documents[i]
		t.Documents = append(t.Documents, TriageDocument{d.Source, d.ID, d.Author, len(d.Statements), d.Unread, d.Problem, d.Foreign})
	}
	for _, d := range drafts {
		if d.Human != nil {
			t.Effects[d.Human.Effect]++
		}
	}
	return t
}

// Contradictions gives the assessments that a person called not affected and
// that were seen in use, in their order.
func (j Judgement) Contradictions() []*Assessment {
	var some []*Assessment
	for i := range j.Assessments {
		if h := j.Assessments[i].Human; h != nil && h.Effect == Contradicted {
			some = append(some, &j.Assessments[i])
		}
	}
	return some
}
