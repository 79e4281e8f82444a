package sarif

// The parts of SARIF that are written, by the names of its schema.

type run struct {
	Tool        tool          `json:"tool"`
	Automation  automation    `json:"automationDetails"`
	Invocations []invocation  `json:"invocations"`
	Results     string        `json:"results"` // see resultsHere
	Properties  runProperties `json:"properties"`
}

type tool struct {
	Driver driver `json:"driver"`
}

type driver struct {
	Name           string `json:"name"`
	Version        string `json:"version,omitempty"`
	InformationURI string `json:"informationUri"`
	Rules          string `json:"rules"` // see rulesHere
}

type automation struct {
	ID string `json:"id"`
}

type invocation struct {
	// Successful is false where the evidence is insufficient: a file that lacks
	// a finding then says nothing about it.
	Successful    bool           `json:"executionSuccessful"`
	ExitCode      *int           `json:"exitCode,omitempty"`
	Start         string         `json:"startTimeUtc,omitempty"`
	End           string         `json:"endTimeUtc,omitempty"`
	Notifications []notification `json:"toolExecutionNotifications"`
}

type notification struct {
	Level   string  `json:"level"`
	Message message `json:"message"`
}

type message struct {
	Text string `json:"text"`
}

type help struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown"`
}

type rule struct {
	ID            string         `json:"id"`
	Short         message        `json:"shortDescription"`
	Full          message        `json:"fullDescription"`
	HelpURI       string         `json:"helpUri,omitempty"`
	Help          help           `json:"help"`
	Configuration configuration  `json:"defaultConfiguration"`
	Properties    ruleProperties `json:"properties"`
}

type configuration struct {
	Level string `json:"level"`
}

type ruleProperties struct {
	Tags []string `json:"tags"`
	// Score is a number written as a string, as code scanning wants it.
	Score string `json:"security-severity,omitempty"`
}

type result struct {
	RuleID       string           `json:"ruleId"`
	RuleIndex    int              `json:"ruleIndex"`
	Level        string           `json:"level"`
	Message      message          `json:"message"`
	Locations    []location       `json:"locations"`
	Fingerprints fingerprints     `json:"partialFingerprints"`
	Suppressions *[]suppression   `json:"suppressions,omitempty"`
	Properties   resultProperties `json:"properties"`
}

type location struct {
	Physical physical  `json:"physicalLocation"`
	Logical  []logical `json:"logicalLocations,omitempty"`
}

type physical struct {
	Artifact artifact `json:"artifactLocation"`
	Region   region   `json:"region"`
}

type artifact struct {
	URI string `json:"uri"`
}

type region struct {
	StartLine int `json:"startLine"`
}

type logical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type fingerprints struct {
	Line string `json:"primaryLocationLineHash"`
	Own  string `json:"vexxyFinding/v1"`
}

type suppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

type resultProperties struct {
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Package string `json:"package"`
	Version string `json:"version"`
	FixedIn string `json:"fixedIn,omitempty"`
	Seen    string `json:"seen,omitempty"`
	Process string `json:"process,omitempty"`
	Phase   string `json:"phase,omitempty"`
	New     *bool  `json:"new,omitempty"`
}

type runProperties struct {
	Image      string `json:"image"`
	Digest     string `json:"digest"`
	Platform   string `json:"platform"`
	Verdict    string `json:"verdict"`
	Confidence string `json:"confidence"`
	RunID      string `json:"runId"`
	Record     string `json:"record"`
}
