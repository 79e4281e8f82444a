package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Event is what a run wants to know of the event that started its job. All of
// it was checked for its shape: the payload holds what anybody wrote into a
// pull request.
type Event struct {
	// Name is the event's, such as push or pull_request.
	Name string
	// Owner and Repo are those of the repository that the workflow runs in.
	Owner, Repo string
	// Commit is what the job is for: GITHUB_SHA, of a pull request its head.
	// Ref is the branch or tag that it is on.
	Commit, Ref string
	// Pull is the pull request that the event is about; nil for other events.
	Pull *Pull
	// Trigger is the run that the event is the end of (workflow_run); nil for
	// other events.
	Trigger *Trigger
	// RunID names the run in addresses.
	RunID int64
	// Workflow is the file of the workflow, Branch the one to compare with: of a
	// pull request the branch that it is to be merged into, of a push to a branch
	// that one, else the repository's default. Both are empty where they are not
	// known.
	Workflow, Branch string
	// RunNumber and RunAttempt order the runs of one workflow.
	RunNumber, RunAttempt int64
	// RunURL leads to the run's page, empty where it is not known.
	RunURL string
}

// Pull is a pull request.
type Pull struct {
	Number int
	// Fork says that its head is in another repository: its token can read
	// alone.
	Fork bool
	// BaseSHA is the commit of the base branch, HeadSHA that of the request.
	BaseSHA, HeadSHA string
	// BaseBranch is the branch that it is to be merged into.
	BaseBranch string
}

// maxEvent is more than GitHub sends (25 MB,
// https://docs.github.com/webhooks/webhook-events-and-payloads).
const maxEvent = 32 << 20

var (
	commit = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	name   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// isName reports whether s is one part of an address, and no way up.
func isName(s string) bool { return name.MatchString(s) && strings.Trim(s, ".") != "" }

// pullEvents are the events whose payload has the pull request that a job runs
// for, and whose checkout may be its head.
var pullEvents = map[string]bool{
	"pull_request": true, "pull_request_target": true, "pull_request_review": true, "pull_request_review_comment": true,
}

// ReadEvent reads the event from the job's environment and the file that
// GITHUB_EVENT_PATH names. An event about a pull request whose payload cannot
// be read is an error: what it may decide must not be guessed.
func ReadEvent(getenv func(string) string) (Event, error) {
	e := Event{Name: getenv("GITHUB_EVENT_NAME")}
	e.RunNumber, _ = strconv.ParseInt(getenv("GITHUB_RUN_NUMBER"), 10, 64)
	e.RunAttempt, _ = strconv.ParseInt(getenv("GITHUB_RUN_ATTEMPT"), 10, 64)
	e.RunID, _ = strconv.ParseInt(getenv("GITHUB_RUN_ID"), 10, 64)
	if sha := getenv("GITHUB_SHA"); commit.MatchString(sha) {
		e.Commit = sha
	}
	e.Ref = getenv("GITHUB_REF")
	e.Workflow = workflowFile(getenv("GITHUB_WORKFLOW_REF"))
	switch branch, isBranch := strings.CutPrefix(e.Ref, "refs/heads/"); {
	case e.Name == "push" && isBranch:
		e.Branch = branch
	case !pullEvents[e.Name]:
		if repository, err := read(getenv("GITHUB_EVENT_PATH"), parseRepository); err == nil {
			e.Branch = repository.Branch
		}
	}
	server := strings.TrimRight(getenv("GITHUB_SERVER_URL"), "/")
	if owner, repo, ok := strings.Cut(getenv("GITHUB_REPOSITORY"), "/"); ok && isName(owner) && isName(repo) {
		e.Owner, e.Repo = owner, repo
		e.RunURL = e.runURL(server, e.RunID)
	}
	var err error
	switch {
	case pullEvents[e.Name]:
		if e.Pull, err = read(getenv("GITHUB_EVENT_PATH"), parsePull); err == nil {
			e.Commit, e.Branch = e.Pull.HeadSHA, e.Pull.BaseBranch
		}
	case e.Name == "workflow_run":
		if e.Trigger, err = read(getenv("GITHUB_EVENT_PATH"), parseTrigger); err == nil {
			e.Trigger.URL = e.runURL(server, e.Trigger.ID)
		}
	}
	if err != nil {
		return e, fmt.Errorf("reading event %s: %w", e.Name, err)
	}
	return e, nil
}

// workflowFile is the file of OWNER/REPO/.github/workflows/FILE@REF.
func workflowFile(ref string) string {
	path, _, _ := strings.Cut(ref, "@")
	if _, file, found := strings.Cut(path, "/.github/workflows/"); found && isName(file) {
		return file
	}
	return ""
}

// payloadHome is the part of any payload that is read.
type payloadHome struct {
	Branch string
}

func parseRepository(data []byte) (*payloadHome, error) {
	var p struct {
		Repository struct {
			Branch string `json:"default_branch"`
		} `json:"repository"`
	}
	err := json.Unmarshal(data, &p)
	return &payloadHome{p.Repository.Branch}, err
}

// runURL leads to a run of the event's repository.
func (e Event) runURL(server string, id int64) string {
	if server == "" || id <= 0 || e.Repo == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/%s/actions/runs/%d", server, e.Owner, e.Repo, id)
}

// payload is the part of an event's payload that is read.
type payload struct {
	Pull *struct {
		Number int `json:"number"`
		Head   side
		Base   side
	} `json:"pull_request"`
}

// side is one side of a pull request. The repository of a head is null once
// its fork was deleted.
type side struct {
	SHA  string `json:"sha"`
	Ref  string `json:"ref"`
	Repo *struct {
		ID int64 `json:"id"`
		// Name is compared where there is no ID.
		Name string `json:"full_name"`
	} `json:"repo"`
}

// read gives what parse reads of the event's payload.
func read[T any](path string, parse func([]byte) (*T, error)) (*T, error) {
	if path == "" {
		return nil, errors.New("GITHUB_EVENT_PATH is not set")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxEvent {
		return nil, fmt.Errorf("it has more than %d bytes", maxEvent)
	}
	return parse(data)
}

// parsePull reads a payload. The numbers and commits that it gives can stand
// in an address or a command line as they are.
func parsePull(data []byte) (*Pull, error) {
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("its payload is no JSON: %s", text(err.Error(), 200))
	}
	switch {
	case p.Pull == nil:
		return nil, errors.New("its payload has no pull request")
	case p.Pull.Number <= 0:
		return nil, errors.New("its pull request has no number")
	case !commit.MatchString(p.Pull.Base.SHA) || !commit.MatchString(p.Pull.Head.SHA):
		return nil, errors.New("its pull request has no commits")
	}
	return &Pull{
		Number: p.Pull.Number, Fork: !p.Pull.Head.same(p.Pull.Base),
		BaseSHA: p.Pull.Base.SHA, HeadSHA: p.Pull.Head.SHA, BaseBranch: p.Pull.Base.Ref,
	}, nil
}

// same reports whether both sides are of one repository, for sure.
func (s side) same(o side) bool {
	if s.Repo == nil || o.Repo == nil {
		return false
	}
	if s.Repo.ID != 0 || o.Repo.ID != 0 {
		return s.Repo.ID == o.Repo.ID
	}
	return s.Repo.Name != "" && strings.EqualFold(s.Repo.Name, o.Repo.Name)
}
