package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/report"
)

// AttestationsFolder holds, in an image's folder, what an Attester leaves
// there: statements, bundles, the public key.
const AttestationsFolder = "attestations"

// Attester binds an image's documents to its digest. dir is the image's folder;
// its documents are in it already, but for the result. What is done with an
// error is given beside it.
type Attester interface {
	Attest(ctx context.Context, docs Documents, dir string) (report.Attested, error)
}

// attest attests to the image. A failure does not undo the judgement, but
// decides the result where its code is the worst: nothing passes that should
// have been attested and was not. The error is of documents that could not be
// written anew with that decision; the failure itself is out's.
func (p Plan) attest(ctx context.Context, docs *Documents, out *ImageOutcome) error {
	attested, err := p.Attester.Attest(ctx, *docs, out.Dir)
	docs.Image.Publication.Attested = &attested
	if err == nil {
		return nil
	}
	out.AttestErr = err
	code := fault.CodeOf(ctx, err)
	d := &docs.Image.Decision
	if d.Code = fault.Worst(d.Code, code); d.Code == code {
		d.Verdict = gate.VerdictError
	}
	d.Causes = append(slices.Clone(d.Causes), err.Error())
	again, werr := reports(docs.Image)
	if werr == nil {
		maps.Copy(docs.Files, again)
		werr = docs.writeFiles(out.Dir)
	}
	if werr != nil {
		return fmt.Errorf("%w; and then %w", err, werr)
	}
	return nil
}

// take notes how an image's run ended when it came to a judgement.
func (o *ImageOutcome) take(docs Documents) {
	o.Image = docs.Image
	o.Verdict, o.Code, o.Causes = docs.Image.Decision.Verdict, docs.Image.Decision.Code, docs.Image.Decision.Causes
}
