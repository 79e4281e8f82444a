package sticky

// When says when there is to be a comment.
type When string

// The values of the input comment.
const (
	Always     When = "always"
	OnChange   When = "on-change"   // keep the text while the statements are the same
	OnAffected When = "on-affected" // begin none while nothing is affected
	Never      When = "never"
)

// Comment is what a run has to say on its change.
type Comment struct {
	// Key names the comment among all of the tool's on one change, Own does so
	// more narrowly: it is used where another job of the same run has taken Key,
	// such as the legs of a matrix that call one reusable workflow. Empty, it is
	// not used. State is equal for results that say the same. All three are made
	// by Digest.
	Key, Own, State string
	// Order is how new the run is.
	Order Order
	When  When
	// Affected says that something is; Unjudged that not all was judged, so that
	// what an earlier comment told of may be affected still.
	Affected, Unjudged bool
	// Body renders the text in at most limit characters. resolved says that it
	// takes the place of one that told of something affected, and nothing is any
	// more.
	Body func(limit int, resolved bool) []byte
}

// Posted is what became of a comment.
type Posted struct {
	// URL leads to it; empty where there is none.
	URL string
	// Did is what was done: "posted", "updated", "kept" (the statements are the
	// same), "left to a newer run", "not needed".
	Did string
}

// Entry is one comment of a change as its host shows it.
type Entry struct {
	ID int64
	// Author names whose it is, in a way that nobody else can have.
	Author string
	URL    string
	Body   string
}
