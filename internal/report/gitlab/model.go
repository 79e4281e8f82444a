package gitlab

// The parts of the report, by the names of GitLab's schema.

type document struct {
	Version         string          `json:"version"`
	Scan            scan            `json:"scan"`
	Vulnerabilities []vulnerability `json:"vulnerabilities"`
}

type scan struct {
	Analyzer component `json:"analyzer"`
	Scanner  component `json:"scanner"`
	Type     string    `json:"type"`
	Start    string    `json:"start_time"`
	End      string    `json:"end_time"`
	Status   string    `json:"status"`
	Messages []remark  `json:"messages,omitempty"`
}

type component struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Vendor  vendor `json:"vendor"`
	URL     string `json:"url"`
}

type vendor struct {
	Name string `json:"name"`
}

type remark struct {
	Level string `json:"level"`
	Value string `json:"value"`
}

type vulnerability struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Severity    string            `json:"severity"`
	Solution    string            `json:"solution,omitempty"`
	Location    location          `json:"location"`
	Identifiers []identifier      `json:"identifiers"`
	Details     map[string]detail `json:"details"`
}

type location struct {
	Dependency      dependency `json:"dependency"`
	OperatingSystem string     `json:"operating_system"`
	Image           string     `json:"image"`
}

type dependency struct {
	Package pack   `json:"package"`
	Version string `json:"version"`
}

type pack struct {
	Name string `json:"name"`
}

type identifier struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
	URL   string `json:"url,omitempty"`
}

type detail struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}
