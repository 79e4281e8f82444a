package gitlab

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Job is what a run wants to know of its job, out of GitLab's predefined
// variables (https://docs.gitlab.com/ci/variables/predefined_variables). All of
// it was checked for its shape.
type Job struct {
	// Merge is the merge request that the pipeline is for; nil for other ones.
	Merge *Merge
	// Pipeline and ID order the jobs of a project: both grow. A job that is
	// started again is a new one in its old pipeline.
	Pipeline, ID int64
	// Name has the job's place in its matrix.
	Name string
	// URL leads to the job's page, empty where it is not known.
	URL string
}

// Merge is a merge request.
type Merge struct {
	// Project is the one that it is to be merged in, IID its number there.
	Project, IID int64
	// URL leads to it, empty where it is not known.
	URL string
	// Fork says that its head is in another project: what runs for it gets no
	// token of ours.
	Fork bool
	// BaseSHA is a commit of the target branch, HeadSHA the request's own.
	BaseSHA, HeadSHA string
}

var (
	commit   = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9._~:/-]{1,1000}$`)
)

// address gives an address that can stand in Markdown and in a report as it is,
// empty for any other.
func address(s string) string {
	if !plainURL.MatchString(s) {
		return ""
	}
	return s
}

// TargetVariable is the component's: the target branch's newest commit, which it
// has fetched. GitLab names only the one that the request was branched off.
const TargetVariable = "VEXXY_TARGET_SHA"

// ReadJob reads the job from its environment. A pipeline for a merge request
// whose variables cannot be read is an error: what it may decide must not be
// guessed.
func ReadJob(getenv func(string) string) (Job, error) {
	j := Job{Name: getenv("CI_JOB_NAME"), URL: address(getenv("CI_JOB_URL"))}
	j.Pipeline, _ = strconv.ParseInt(getenv("CI_PIPELINE_ID"), 10, 64)
	j.ID, _ = strconv.ParseInt(getenv("CI_JOB_ID"), 10, 64)
	// A child pipeline has another source, and the variables all the same.
	if getenv("CI_MERGE_REQUEST_IID") == "" && getenv("CI_PIPELINE_SOURCE") != "merge_request_event" {
		return j, nil
	}
	merge, err := readMerge(getenv)
	if err != nil {
		return j, fmt.Errorf("reading the merge request's variables: %w", err)
	}
	j.Merge = merge
	return j, nil
}

func readMerge(getenv func(string) string) (*Merge, error) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(getenv(name), 10, 64)
		return n
	}
	m := &Merge{Project: number("CI_MERGE_REQUEST_PROJECT_ID"), IID: number("CI_MERGE_REQUEST_IID")}
	// Pipelines for merged results alone have the first of each.
	m.BaseSHA = cmp.Or(getenv("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"), getenv(TargetVariable), getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA"))
	m.HeadSHA = cmp.Or(getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"), getenv("CI_COMMIT_SHA"))
	switch {
	case m.IID <= 0 || m.Project <= 0:
		return nil, errors.New("CI_MERGE_REQUEST_IID or CI_MERGE_REQUEST_PROJECT_ID is no number")
	case !commit.MatchString(m.BaseSHA):
		return nil, fmt.Errorf("CI_MERGE_REQUEST_DIFF_BASE_SHA or %s is no commit", TargetVariable)
	case !commit.MatchString(m.HeadSHA):
		return nil, errors.New("CI_COMMIT_SHA is no commit")
	}
	// The source project of a fork that was deleted is not named.
	m.Fork = number("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") != m.Project
	if project := address(getenv("CI_MERGE_REQUEST_PROJECT_URL")); project != "" {
		m.URL = fmt.Sprintf("%s/-/merge_requests/%d", strings.TrimRight(project, "/"), m.IID)
	}
	return m, nil
}

// Site is what tells one use of the component from another in the same
// pipeline: the job's name, which has the leg of a matrix in it.
func (j Job) Site() []string { return []string{"gitlab", j.Name} }
