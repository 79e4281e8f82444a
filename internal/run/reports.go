package run

import (
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/gitlab"
	"github.com/vexxy/action/internal/report/sarif"
)

// The names of the documents that hosts take: the comment on a change, SARIF
// for code scanning and with all findings, and GitLab's report.
const (
	CommentFile  = "comment.md"
	SARIFFile    = "results.sarif"
	SARIFAllFile = "results.all.sarif"
	GitLabFile   = gitlab.ReportFile
)

// reports makes the documents for people and hosts. The latter are as a host without a name for
// the change makes them: the comment's mark is of the image alone, and before
// all others.
func reports(img report.Image) (map[string][]byte, error) {
	settings := img.Record.Run.Settings
	options := sarif.Options{Dockerfile: settings["dockerfile"], Open: settings["sarif-open"] == "true"}
	affected, err := sarif.Affected(img, options)
	if err != nil {
		return nil, err
	}
	all, err := sarif.Complete(img, options)
	if err != nil {
		return nil, err
	}
	scan, err := gitlab.ContainerScanning(img)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		SummaryFile: report.Summary(img, maxSummary),
		CommentFile: report.Comment(img, report.CommentOptions{}),
		SARIFFile:   affected.Data, SARIFAllFile: all.Data, GitLabFile: scan,
	}, nil
}
