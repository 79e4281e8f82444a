package github

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// Analysis is a SARIF log on a commit, for code scanning.
type Analysis struct {
	// Commit is the commit that was analysed, Ref the branch, tag or pull request
	// that it is on: refs/heads/…, refs/tags/…, refs/pull/N/head.
	Commit, Ref string
	SARIF       []byte
}

// maxAnalysis is what code scanning takes of a log, compressed, in bytes
// (https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning).
const maxAnalysis = 10 << 20

// sarifPermission is what a job must have to upload an analysis.
const sarifPermission = "security-events: write"

// Upload gives code scanning an analysis, which takes the place of the former
// one of the same category on the same ref. A second upload of one whose answer
// got lost does no harm: it says the same.
func (a *API) Upload(ctx context.Context, owner, repo string, analysis Analysis) error {
	packed, err := pack(analysis.SARIF)
	if err != nil {
		return err
	}
	f := a.patiently(ctx, func(ctx context.Context) sticky.Failure {
		return a.upload(ctx, owner, repo, &gh.SarifAnalysis{CommitSHA: &analysis.Commit, Ref: &analysis.Ref, Sarif: &packed})
	})
	if f.Kind == sticky.Answered {
		return nil
	}
	return explainUpload(f)
}

func (a *API) upload(ctx context.Context, owner, repo string, analysis *gh.SarifAnalysis) sticky.Failure {
	ctx, cancel := a.once(ctx)
	defer cancel()
	_, resp, err := a.client.CodeScanning.UploadSarif(ctx, owner, repo, analysis)
	if err != nil && resp != nil && resp.StatusCode < 300 {
		return sticky.Failure{Kind: sticky.Answered} // it was taken, whatever else was said
	}
	return fail(err)
}

// pack compresses a log as the API wants it.
func pack(log []byte) (string, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(log); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if out.Len() > maxAnalysis {
		return "", fault.New(fault.Publish, "the log is among the run's documents", "uploading SARIF: it has %d bytes compressed, and code scanning takes %d", out.Len(), maxAnalysis)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// explainUpload makes the one notice of an upload that failed.
func explainUpload(f sticky.Failure) error {
	hint := "uploading is tried again with the next run; results.sarif has the log"
	switch what := strings.ToLower(f.What); {
	case f.Status == 413 || f.Kind == sticky.TooLong:
		hint = "the log is too large for this server; results.sarif has it"
	case f.Kind == sticky.Denied && (strings.Contains(what, "advanced security") || strings.Contains(what, "code security") || strings.Contains(what, "not enabled")),
		f.Kind == sticky.Missing:
		hint = fmt.Sprintf("turn on code scanning (private repositories need GitHub Code Security for it) and add `%s` to the job's permissions, or leave upload-sarif off", sarifPermission)
	case f.Kind == sticky.Denied:
		hint = fmt.Sprintf("add `%s` to the job's permissions, in private repositories `actions: read` too; requests of Dependabot and of forks have a token that can read alone", sarifPermission)
	case f.Kind == sticky.Limited:
		hint = "GitHub limits the requests of this token: run fewer jobs at a time"
	}
	return fault.New(fault.Publish, hint, "uploading SARIF: %s", f.What)
}
