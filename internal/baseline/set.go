package baseline

import (
	"errors"
	"fmt"

	"github.com/vexxy/action/internal/subject"
)

// Set is what an earlier run said of its images.
type Set struct {
	images []Baseline
	// none stands for all images where the run as a whole cannot be used.
	none *Baseline
}

// UnusableSet is a set with which nothing can be compared, as Unusable.
func UnusableSet(from string, err error) Set {
	b := Unusable(from, err)
	return Set{none: &b}
}

// For gives the baseline of an image: that of the same reference and platform,
// else the only one of the same repository and platform (a tag or digest is
// often new with every run). alone says that the present run has no other
// image; where the earlier one had no other either, the problem says how they
// differ. Where there is none the baseline has a problem.
func (s Set) For(sub subject.Subject, alone bool) Baseline {
	if s.none != nil {
		return *s.none
	}
	platform := sub.Platform.String()
	var like []Baseline
	for _, b := range s.images {
		failed := b.Platform == "" // it has no subject, but the reference
		if b.Requested == sub.Requested && (b.Platform == platform || failed) {
			return b
		}
		if b.Repository != "" && b.Repository == sub.Repository && b.Platform == platform {
			like = append(like, b)
		}
	}
	switch {
	case len(like) == 1:
		return like[0]
	case len(like) > 1:
		return Unusable(like[0].From, errors.New("the earlier run has several images of this repository, and none of this reference"))
	case len(s.images) == 1 && alone:
		return s.images[0].unlike(sub)
	case len(s.images) == 0:
		return Unusable("", errors.New("the earlier run has no image"))
	}
	return Unusable(s.images[0].From, errors.New("the earlier run has no image of this repository and platform"))
}

// unlike says how the image of an earlier run is another than the present one.
// Two archives without a name are the same image as far as anybody knows.
func (b Baseline) unlike(sub subject.Subject) Baseline {
	platform := sub.Platform.String()
	switch {
	case !b.Usable():
		return b
	case b.Repository != sub.Repository:
		return Unusable(b.From, fmt.Errorf("the earlier run's image is of %s, this one of %s", named(b.Repository), named(sub.Repository)))
	case b.Platform != platform:
		return Unusable(b.From, fmt.Errorf("the earlier run's image is for %.100q, this one for %.100q", b.Platform, platform))
	}
	return b
}

func named(repository string) string {
	if repository == "" {
		return "no repository"
	}
	return fmt.Sprintf("%.200q", repository)
}
