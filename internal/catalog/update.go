package catalog

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anchore/clio"
	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"
	"github.com/anchore/grype/grype/db/v6/installation"
	"github.com/spf13/afero"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

const (
	listingTimeout  = 30 * time.Second // Grype's own
	downloadTimeout = 15 * time.Minute
	maxListing      = 4 << 20
	maxArchive      = 8 << 30
	// checkEvery is how often Grype asks for a newer database; it notes the
	// last time in checkFile.
	checkEvery = 2 * time.Hour
	checkFile  = "last_update_check"

	offlineHint = "without network access, download a Grype v6 database archive elsewhere and pass it with --vulnerability-db"
)

// openCached opens the database in Grype's cache, brought up to date first. A
// database that cannot be updated is used as it is.
func openCached(ctx context.Context, o DatabaseOptions) (*Matcher, error) {
	root := o.Getenv("GRYPE_DB_CACHE_DIR")
	if root == "" {
		root = installation.DefaultConfig(clio.Identification{Name: "grype"}).DBRootDir
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, cacheFault(err)
	}
	var updateErr error
	if !o.NoUpdate && !strings.EqualFold(o.Getenv("GRYPE_DB_AUTO_UPDATE"), "false") {
		updateErr = update(ctx, root, o.Getenv)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	dir := filepath.Join(root, fmt.Sprint(v6.ModelVersion))
	digest, err := checkInstalled(dir)
	if err != nil {
		if updateErr != nil {
			return nil, fault.New(fault.Infra, offlineHint, "downloading the vulnerability database: %w", updateErr)
		}
		return nil, fault.New(fault.Infra, offlineHint, "opening the vulnerability database cached in %s: %w", root, err)
	}
	identity := inventory.Database{Digest: digest, From: root}
	if meta, err := v6.ReadImportMetadata(afero.NewOsFs(), dir); err == nil {
		if u, err := url.Parse(meta.Source); err == nil && u.Scheme != "" {
			if sum := u.Query().Get("checksum"); strings.HasPrefix(sum, "sha256:") {
				identity.Digest = sum
			}
			u.RawQuery = ""
			u.User = nil
			identity.From = u.String()
		}
	}
	m, err := open(dir, identity)
	if err != nil {
		return nil, fault.New(fault.Infra, "remove "+dir+" to have it downloaded again", "opening the cached vulnerability database: %w", err)
	}
	if updateErr != nil {
		m.warning = oneLine("the cached vulnerability database could not be updated: " + updateErr.Error())
	}
	return m, nil
}

// update replaces the database below root when the listing names a newer one.
func update(ctx context.Context, root string, getenv func(string) string) error {
	dir := filepath.Join(root, fmt.Sprint(v6.ModelVersion))
	var built time.Time
	if d, err := v6.ReadDescription(filepath.Join(dir, v6.VulnerabilityDBFileName)); err == nil {
		if _, err := checkInstalled(dir); err == nil {
			built = d.Built.Time
		}
	}
	if !built.IsZero() && checkedLately(dir, time.Now()) {
		return nil
	}
	client, err := httpClient(getenv("GRYPE_DB_CA_CERT"))
	if err != nil {
		return err
	}
	listing := getenv("GRYPE_DB_UPDATE_URL")
	if listing == "" {
		listing = distribution.DefaultConfig().LatestURL
	}
	if !strings.HasSuffix(listing, ".json") {
		listing = fmt.Sprintf("%s/v%d/%s", strings.TrimRight(listing, "/"), v6.ModelVersion, distribution.LatestFileName)
	}
	latest, err := latestDatabase(ctx, client, listing)
	if err != nil {
		return fmt.Errorf("asking for the newest database: %w", err)
	}
	if latest.Built.After(built) {
		if err := os.MkdirAll(root, 0o700); err != nil {
			return cacheFault(err)
		}
		if err := download(ctx, client, listing, latest.Archive, root); err != nil {
			return err
		}
	}
	// best effort, as in Grype: without the note the next run asks again
	_ = os.WriteFile(filepath.Join(dir, checkFile), []byte(time.Now().UTC().Format(time.RFC3339)), 0o644)
	return nil
}

// checkedLately reports whether the last check was less than checkEvery ago.
func checkedLately(dir string, now time.Time) bool {
	note, err := os.ReadFile(filepath.Join(dir, checkFile))
	if err != nil {
		return false
	}
	last, err := time.Parse(time.RFC3339, strings.TrimSpace(string(note)))
	return err == nil && !last.After(now) && now.Sub(last) < checkEvery
}

// latestDatabase reads the listing.
func latestDatabase(ctx context.Context, client *http.Client, listing string) (*distribution.LatestDocument, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listingTimeout, fmt.Errorf("no listing after %s", listingTimeout))
	defer cancel()
	body, err := get(ctx, client, listing)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	latest, err := distribution.NewLatestFromReader(io.LimitReader(body, maxListing))
	switch {
	case err != nil:
		return nil, err
	case latest == nil, latest.Path == "", !strings.HasPrefix(latest.Checksum, "sha256:"):
		return nil, errors.New("the listing names no database")
	case latest.SchemaVersion.Model != v6.ModelVersion:
		return nil, fmt.Errorf("the listing is for schema %s, not v%d", latest.SchemaVersion, v6.ModelVersion)
	}
	return latest, nil
}

// download fetches an archive, checks its digest and installs it below root.
func download(ctx context.Context, client *http.Client, listing string, a distribution.Archive, root string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, downloadTimeout, fmt.Errorf("no whole database after %s", downloadTimeout))
	defer cancel()
	at, err := url.Parse(listing)
	if err != nil {
		return err
	}
	at = at.ResolveReference(&url.URL{Path: a.Path})
	body, err := get(ctx, client, at.String())
	if err != nil {
		return err
	}
	defer body.Close()
	tmp, err := os.MkdirTemp(root, "download-")
	if err != nil {
		return cacheFault(err)
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, filepath.Base(a.Path))
	to, err := os.Create(file)
	if err != nil {
		return cacheFault(err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(body, maxArchive+1))
	if err := errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("downloading %s: %w", at.Redacted(), cause(ctx, err))
	}
	if n > maxArchive {
		return fmt.Errorf("downloading %s: more than %d bytes", at.Redacted(), int64(maxArchive))
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != a.Checksum {
		return fault.New(fault.Integrity, "try again; if it stays so, the mirror in GRYPE_DB_UPDATE_URL serves a wrong file",
			"downloading %s: its digest is %s, the listing names %s", at.Redacted(), got, a.Checksum)
	}
	at.RawQuery = url.Values{"checksum": {a.Checksum}}.Encode()
	return install(ctx, file, root, at.String())
}

// get makes a request and gives the body of a 200 answer.
func get(ctx context.Context, client *http.Client, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, cause(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answered %s", req.URL.Redacted(), resp.Status)
	}
	return resp.Body, nil
}

// cause prefers a context's cause over the error that its end led to.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// httpClient makes a client that trusts caFile (PEM) where one is given.
func httpClient(caFile string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fault.New(fault.Usage, "GRYPE_DB_CA_CERT names the file", "reading the certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Usage, "GRYPE_DB_CA_CERT names the file", "reading the certificate authority %q: no PEM certificate in it", caFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return &http.Client{Transport: transport}, nil
}
