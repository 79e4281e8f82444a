package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexxy/action/internal/base"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sticky"
)

// foot is what stands below all that is said of a run: what was ignored of a
// change, and links.
func foot(b *base.Base, links []string) string {
	var text strings.Builder
	if b != nil {
		for _, line := range b.Ignored() {
			fmt.Fprintf(&text, "\n> ⚠️ %s\n", foreign.Text(line).Markdown(500))
		}
	}
	if len(links) > 0 {
		fmt.Fprintf(&text, "\n%s\n", strings.Join(links, " · "))
	}
	return text.String()
}

// remark renders the comment on a change, with foot below it.
func remark(end ending, foot string) func(limit int, resolved bool) []byte {
	return func(limit int, resolved bool) []byte {
		o := report.CommentOptions{Limit: limit - len(foot), Resolved: resolved}
		if text, one := oneComment(end, o); one {
			return append(text, foot...)
		}
		return append(sticky.Cut(summary(end, o.Limit), o.Limit), foot...)
	}
}

// oneComment is the comment on a run of one image, and on one that came to
// nothing; a run of several has its summary.
func oneComment(end ending, o report.CommentOptions) (text []byte, one bool) {
	images := end.out.Images
	switch {
	case len(images) == 1 && judged(images[0]):
		return report.Comment(images[0].Image, o), true
	case len(images) > 1 && end.err == nil:
		return nil, false
	case len(images) == 1 && end.err == nil:
		end.err = images[0].Err
	}
	return report.FailureComment(failure(end), o), true
}

// judged reports whether an image's run came to a judgement.
func judged(image run.ImageOutcome) bool { return image.Err == nil && image.Image.Record.Digest != "" }

// failure is a run that ended without a judgement.
func failure(end ending) report.Failure {
	f := report.Failure{RunID: end.out.ID, Version: Version(), Verdict: verdict(end), Code: end.code}
	if end.err != nil {
		f.Causes, f.Hint = []string{end.err.Error()}, fault.HintOf(end.err)
	}
	return f
}

// summary is the text on a run, of at most about limit bytes.
func summary(end ending, limit int) []byte {
	images := end.out.Images
	switch {
	case len(images) == 1 && judged(images[0]):
		return report.Summary(images[0].Image, limit)
	case len(images) > 0 && end.err == nil: // failed, or several: the run has written it
		text, err := os.ReadFile(filepath.Join(end.cfg.OutputDir, run.SummaryFile))
		if err == nil {
			return text
		}
		fallthrough
	default:
		return report.FailureSummary(failure(end))
	}
}

// commentOf is what there is to say of a run, but for how new it is. site tells
// one use of the program from another in the same repository.
func commentOf(end ending, site []string, body func(int, bool) []byte) sticky.Comment {
	c := sticky.Comment{When: sticky.When(end.cfg.Publication.Comment), Body: body}
	key := append([]string{"vexxy", end.cfg.Platform, end.cfg.Engine}, site...)
	for _, ref := range end.cfg.Images {
		key = append(key, "image", repository(ref))
	}
	key = append(append(append(key, "command"), end.cfg.Command...), "args")
	key = append(append(key, end.cfg.Args...), end.cfg.Cluster.HelmChart)
	key = append(key, end.cfg.Cluster.Manifests...)
	c.Key = sticky.Digest(key...)
	c.Own = sticky.Digest(append(append(key, "references"), end.cfg.Images...)...)
	state := []string{string(verdict(end)), cause(end.err)}
	c.Unjudged = end.err != nil || len(end.out.Images) == 0
	for _, image := range end.out.Images {
		j := image.Image.Judgement
		c.Affected = c.Affected || j.Summary.Affected > 0
		c.Unjudged = c.Unjudged || !judged(image)
		state = append(state, "image", string(image.Verdict), cause(image.Err))
		for i := range j.Assessments {
			a := &j.Assessments[i]
			state = append(state, a.Vulnerability, a.PURL, string(a.Status))
			if a.Human != nil {
				state = append(state, string(a.Human.Effect), a.Human.Author)
			}
		}
	}
	c.State = sticky.Digest(state...)
	return c
}

// cause is an error's text, empty for none.
func cause(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// repository is a reference without what changes from build to build: tag and
// digest. The comment on an image stays one through all of them.
func repository(ref string) string {
	if strings.HasPrefix(ref, "docker-archive:") || strings.HasPrefix(ref, "oci-dir:") {
		return ref
	}
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') && ref[:i] != "docker-daemon" {
		ref = ref[:i]
	}
	return ref
}

// verdict is the run's. What failed before it had one has none to pass with.
func verdict(end ending) gate.Verdict {
	switch {
	case end.code == fault.Interrupted || end.code == fault.Terminated:
		return gate.VerdictCancelled
	case end.err != nil || len(end.out.Images) == 0:
		return gate.VerdictError
	}
	return end.out.Verdict
}

func errorText(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}
