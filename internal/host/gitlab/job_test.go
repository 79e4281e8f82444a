package gitlab

import (
	"strings"
	"testing"
)

const headSHA = "2222222222222222222222222222222222222222"

// variables are those of a pipeline for a merge request, changed by pairs.
func variables(pairs ...string) map[string]string {
	vars := map[string]string{
		"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_PROJECT_ID": "11",
		"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "11", "CI_MERGE_REQUEST_DIFF_BASE_SHA": baseSHA, "CI_COMMIT_SHA": headSHA,
		"CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/group/app", "CI_PIPELINE_ID": "100", "CI_JOB_ID": "1000",
		"CI_JOB_NAME": "vexxy_container_scanning", "CI_JOB_URL": "https://gitlab.example/group/app/-/jobs/1000",
	}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return vars
}

func TestReadJob(t *testing.T) {
	const other = "3333333333333333333333333333333333333333"
	for name, c := range map[string]struct {
		change []string
		want   *Merge
	}{
		"merge request":  {nil, &Merge{11, 7, merge.URL, false, baseSHA, headSHA}},
		"merged results": {[]string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", other, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", headSHA, "CI_COMMIT_SHA", baseSHA}, &Merge{11, 7, merge.URL, false, other, headSHA}},
		"fetched target": {[]string{TargetVariable, other}, &Merge{11, 7, merge.URL, false, other, headSHA}},
		"child pipeline": {[]string{"CI_PIPELINE_SOURCE", "parent_pipeline"}, &Merge{11, 7, merge.URL, false, baseSHA, headSHA}},
		"fork":           {[]string{"CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "12"}, &Merge{11, 7, merge.URL, true, baseSHA, headSHA}},
		"deleted fork":   {[]string{"CI_MERGE_REQUEST_SOURCE_PROJECT_ID", ""}, &Merge{11, 7, merge.URL, true, baseSHA, headSHA}},
		"hostile URL":    {[]string{"CI_MERGE_REQUEST_PROJECT_URL", "https://x/)[a](javascript:b"}, &Merge{11, 7, "", false, baseSHA, headSHA}},
		"push":           {[]string{"CI_PIPELINE_SOURCE", "push", "CI_MERGE_REQUEST_IID", ""}, nil},
		"tag":            {[]string{"CI_PIPELINE_SOURCE", "push", "CI_COMMIT_TAG", "v1", "CI_MERGE_REQUEST_IID", ""}, nil},
		"schedule":       {[]string{"CI_PIPELINE_SOURCE", "schedule", "CI_MERGE_REQUEST_IID", ""}, nil},
	} {
		j, err := ReadJob(env(variables(c.change...)))
		if err != nil || (j.Merge == nil) != (c.want == nil) || c.want != nil && *j.Merge != *c.want {
			t.Errorf("%s: %+v, %v", name, j.Merge, err)
		}
		if j.Pipeline != 100 || j.ID != 1000 || j.URL != "https://gitlab.example/group/app/-/jobs/1000" {
			t.Errorf("%s: %+v", name, j)
		}
	}
}

// A merge request that cannot be read is an error and never taken for a push.
func TestReadJobRefuses(t *testing.T) {
	for _, change := range [][]string{
		{"CI_MERGE_REQUEST_IID", ""}, {"CI_MERGE_REQUEST_IID", "x"}, {"CI_MERGE_REQUEST_IID", "-1"}, {"CI_MERGE_REQUEST_PROJECT_ID", ""},
		{"CI_MERGE_REQUEST_DIFF_BASE_SHA", ""}, {"CI_MERGE_REQUEST_DIFF_BASE_SHA", "--output=/x"}, {"CI_MERGE_REQUEST_DIFF_BASE_SHA", "main"},
		{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "HEAD"}, {TargetVariable, "HEAD"}, {"CI_COMMIT_SHA", ""}, {"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", strings.ToUpper("abcdef0123")},
		{"CI_PIPELINE_SOURCE", "push", "CI_MERGE_REQUEST_IID", "0"},
	} {
		if j, err := ReadJob(env(variables(change...))); err == nil || j.Merge != nil {
			t.Errorf("%q: %+v", change, j.Merge)
		}
	}
}

func TestJobURL(t *testing.T) {
	for url, want := range map[string]bool{"https://gitlab.example/a/-/jobs/1": true, "http://10.0.0.1:8080/a": true, "": false, "javascript:alert(1)": false, "https://x/)": false, "https://x/\ny": false, "https://x/ y": false, "https://x/<b>": false} {
		if j, err := ReadJob(env(map[string]string{"CI_JOB_URL": url})); err != nil || (j.URL != "") != want {
			t.Errorf("%q: %q, %v", url, j.URL, err)
		}
	}
}
