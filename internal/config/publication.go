package config

// The hosts that have inputs of their own.
const (
	GitHub = "GitHub"
	GitLab = "GitLab"
)

// Publication is where a run's results go beside its files.
type Publication struct {
	// Comment is one of always, on-change, on-affected and never.
	Comment string
	// GitHubToken may write the comment, and read the base commit of a pull
	// request; without one neither is tried. GitLabToken is the same for the note
	// on a merge request.
	GitHubToken, GitLabToken Secret
	// UploadSARIF gives GitHub's code scanning what is affected.
	UploadSARIF bool
}

func publicationInputs() []Input {
	return group("Publication",
		row("comment", "always", "when to bring the comment on the pull or merge request up to date: always, on-change (keep the text while the statements are the same), on-affected (begin none while nothing is affected) or never",
			choice(func(c *Config) *string { return &c.Publication.Comment }, "always", "on-change", "on-affected", "never")),
		row("github-token", "", "token for the comment, for upload-sarif and a baseline from an artifact, and, on pull requests, for the configuration of the base commit",
			secret(func(c *Config) *Secret { return &c.Publication.GitHubToken }), unset("the job's own, in the action"),
			func(in *Input) { in.Secret, in.NoFile, in.Host = true, true, GitHub }),
		row("gitlab-token", "", "token with the scope api for the note on the merge request, out of a masked variable: the job's own may not write one",
			secret(func(c *Config) *Secret { return &c.Publication.GitLabToken }), unset("none: no note is written"),
			func(in *Input) { in.Secret, in.NoFile, in.Host = true, true, GitLab }),
		row("upload-sarif", "false", "upload results.sarif to GitHub's code scanning, which shows what is affected",
			onOff(func(c *Config) *bool { return &c.Publication.UploadSARIF }),
			func(in *Input) { in.Host = GitHub }),
	)
}

// secret is a text that no sink prints.
func secret(field func(*Config) *Secret) value {
	return one(Text, field, func(s string) (Secret, error) { return NewSecret(s), nil }, func(s Secret) string {
		if s.Reveal() == "" {
			return ""
		}
		return redacted
	})
}
