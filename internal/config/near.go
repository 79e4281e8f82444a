package config

import (
	"fmt"
	"slices"
	"strings"
)

// nearest gives the candidate that name was most likely meant to be, or "".
// Ties go to the first in alphabetical order.
func nearest(name string, candidates []string) string {
	const longest = 64 // no input's name is longer
	if name == "" || len(name) > longest {
		return ""
	}
	slices.Sort(candidates)
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, c := range candidates {
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete, replace or swap with
// their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// Suggest gives a hint that names the candidate nearest to a name that is
// unknown, or all of them.
func Suggest(name string, candidates []string) string {
	if near := nearest(name, slices.Clone(candidates)); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are: " + strings.Join(candidates, ", ")
}
