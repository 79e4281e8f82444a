package workflows

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// good is a workflow of which nothing is to be said. The bad ones below differ
// from it in one thing.
const good = `on:
  push:
    branches: [main]
permissions:
  contents: read
jobs:
  build:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    container:
      image: docker.io/library/debian@sha256:0123456789012345678901234567890123456789012345678901234567890123
    steps:
      - uses: actions/checkout@0123456789012345678901234567890123456789 # v1.2.3
        with:
          persist-credentials: false
      - uses: actions/setup-go@0123456789012345678901234567890123456789 # v5
      - uses: ./action
      - run: echo "$NAME"
        env:
          NAME: ${{ github.head_ref }}
  call:
    permissions:
      contents: write
    uses: octo/flows/.github/workflows/a.yml@0123456789012345678901234567890123456789 # v1
`

func TestCheck(t *testing.T) {
	if found := Check([]byte(good)); len(found) > 0 {
		t.Errorf("of a good workflow it says %v", found)
	}
	const trunk, tags = "  push:\n    branches: [main]", "  push:\n    tags: [v*]"
	cases := []struct {
		rule     string
		old, new string
		line     int
	}{
		{Unpinned, "actions/setup-go@0123456789012345678901234567890123456789 # v5", "actions/setup-go@v5", 16},
		{Unpinned, "setup-go@0123456789012345678901234567890123456789 # v5", "setup-go@01234567 # v5", 16},
		{Unpinned, "setup-go@0123456789012345678901234567890123456789 # v5", "setup-go@0123456789012345678901234567890123456789", 16},
		{Unpinned, "setup-go@0123456789012345678901234567890123456789 # v5", "setup-go@0123456789012345678901234567890123456789 # main", 16},
		{Unpinned, "uses: ./action", "uses: docker://alpine:3", 17},
		{Unpinned, "a.yml@0123456789012345678901234567890123456789 # v1", "a.yml@main", 24},
		{Unpinned, "debian@sha256:0123456789012345678901234567890123456789012345678901234567890123", "debian:12", 11},
		{Unpinned, "    steps:", "    services:\n      db: {image: 'postgres:17'}\n    steps:", 13},
		{Injection, `echo "$NAME"`, `echo "${{ github.head_ref }}"`, 18},
		{Injection, `echo "$NAME"`, "|\n          true\n          echo \"${{ inputs.name }}\"", 18},
		{Injection, "uses: ./action", "uses: actions/github-script@0123456789012345678901234567890123456789 # v7\n        with: {script: 'f(${{ github.event.issue.title }})'}", 18},
		{Credentials, "persist-credentials: false", "persist-credentials: true", 13},
		{Credentials, "persist-credentials: false", "fetch-depth: 0", 13},
		{Permissions, "permissions:\n  contents: read", "env: {A: b}", 1},
		{Permissions, "permissions:\n  contents: read", "permissions: write-all", 4},
		{Permissions, "permissions:\n  contents: read", "permissions: read-all", 4},
		{Permissions, "permissions:\n  contents: read", "permissions:\n  issues: write", 5},
		{Permissions, "    permissions:\n      contents: write", "    permissions: write-all", 22},
		{Permissions, "    permissions:\n      contents: write", "    secrets: inherit", 22},
		{Trigger, trunk, "  pull_request_target:\n    branches: [main]", 3},
		{Trigger, "on:\n" + trunk, "on: [push, pull_request_target]", 1},
		{Trigger, "on:\n" + trunk, "on: pull_request_target", 1},
		{Cache, trunk, tags, 16},
		{Cache, "    runs-on: ubuntu-24.04", "    runs-on: ubuntu-24.04\n    permissions: {packages: write}", 17},
		{Environment, `echo "$NAME"`, `echo "A=$NAME" >> "$GITHUB_ENV"`, 18},
		{Environment, `echo "$NAME"`, `echo "$NAME" >> $GITHUB_PATH`, 18},
		{Unbounded, "    timeout-minutes: 5\n", "", 8},
		{Runner, "runs-on: ubuntu-24.04", "runs-on: [self-hosted, linux]", 8},
		{Runner, "runs-on: ubuntu-24.04", "runs-on: self-hosted", 8},
		{Unreadable, "jobs:", "stages:", 1},
		{Unreadable, "on:\n", "off:\n", 1},
		{Unreadable, "on:\n", "on: {\n", 1},
	}
	var rules []string
	for _, c := range cases {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("the good workflow has no %q", c.old)
		}
		found := Check([]byte(bad))
		if len(found) != 1 || found[0].Rule != c.rule || found[0].Line != c.line {
			t.Errorf("with %q it says %v, want %s at line %d", c.new, found, c.rule, c.line)
		}
		rules = append(rules, c.rule)
	}
	for _, rule := range []string{Unpinned, Injection, Credentials, Permissions, Trigger, Cache, Environment, Unbounded, Runner, Unreadable} {
		if !slices.Contains(rules, rule) {
			t.Errorf("no workflow above breaks rule %s", rule)
		}
	}
}

// What others start may not check out what they name, and may do the rest.
func TestCheckCare(t *testing.T) {
	calm := strings.Replace(good, "  push:\n    branches: [main]", "  workflow_run:\n    workflows: [CI]", 1)
	if found := Check([]byte(calm)); len(found) > 0 {
		t.Errorf("of a careful workflow it says %v", found)
	}
	for _, with := range []string{"ref: ${{ github.event.workflow_run.head_sha }}", "repository: ${{ github.event.workflow_run.head_repository.full_name }}"} {
		found := Check([]byte(strings.Replace(calm, "persist-credentials: false", "persist-credentials: false\n          "+with, 1)))
		if len(found) != 1 || found[0].Rule != Trigger || found[0].Line != 16 {
			t.Errorf("with %q it says %v", with, found)
		}
	}
}

// A release takes no cache, and may say so.
func TestCheckCache(t *testing.T) {
	release := strings.Replace(good, "  push:\n    branches: [main]", "  push:\n    tags: [v*]", 1)
	uncached := strings.Replace(release, "# v5\n", "# v5\n        with: {cache: false}\n", 1)
	if found := Check([]byte(uncached)); len(found) > 0 {
		t.Errorf("of a release without a cache it says %v", found)
	}
	for _, action := range []string{"actions/cache", "actions/cache/restore", "actions/setup-node"} {
		step := "uses: " + action + "@0123456789012345678901234567890123456789 # v4\n        with: {cache: npm}"
		found := Check([]byte(strings.Replace(uncached, "uses: ./action", step, 1)))
		if len(found) != 1 || found[0].Rule != Cache {
			t.Errorf("with %s it says %v", action, found)
		}
	}
}

// One's own actions and workflows may be named by a version, and by no branch.
func TestCheckOwn(t *testing.T) {
	for what, want := range map[string]int{"octo/act@v1": 0, "octo/act@v1.2.3": 0, "octo/act/.github/workflows/a.yml@v1": 0, "octo/act@main": 1, "octo/acts@v1": 1, "evil/octo/act@v1": 1} {
		text := strings.Replace(good, "uses: ./action", "uses: "+what, 1)
		if found := Check([]byte(text), "octo/act"); len(found) != want {
			t.Errorf("of %s it says %v", what, found)
		}
	}
}

// The repository's own workflows are held to all of it.
func TestOurs(t *testing.T) {
	files, err := filepath.Glob("../../.github/workflows/*.y*ml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d workflows: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Check(text, "vexxy/action") {
			t.Errorf("%s: %s", filepath.Base(file), f)
		}
	}
}
