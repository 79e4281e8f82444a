package catalog

// Matchable names the packages that Match gives to Grype.
func Matchable(c *Catalog) []string {
	packages, _ := matchable(c)
	var out []string
	for _, p := range packages {
		out = append(out, string(p.ID)+" "+p.Name+" "+p.Distro.String())
	}
	return out
}
