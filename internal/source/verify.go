package source

import (
	"encoding/hex"
	"errors"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
)

// verified reads content that has a digest. Every error but io.EOF is a fault;
// io.EOF comes only after the digest was seen to be right.
type verified struct {
	inner io.ReadCloser
	hash  hash.Hash
	want  v1.Hash
	// size is the size that the content must have, or -1.
	size int64
	// max bounds a content without size.
	max int64
	// broken is the code of content that ends early or cannot be read.
	broken fault.Code
	what   string

	read int64
	err  error
}

// newVerified wraps r, whose contents must have the digest.
func newVerified(r io.ReadCloser, what string, want v1.Hash, size, max int64, broken fault.Code) (io.ReadCloser, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		r.Close()
		return nil, unfit("build it with SHA-256 digests", "reading %s: %s", what, brief(err))
	}
	return &verified{inner: r, hash: h, want: want, size: size, max: max, broken: broken, what: what}, nil
}

func (v *verified) Close() error { return v.inner.Close() }

func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.inner.Read(p)
	v.hash.Write(p[:n])
	v.read += int64(n)
	switch {
	case v.size >= 0 && v.read > v.size:
		v.err = v.mismatch("more than its %d bytes", v.size)
	case v.size < 0 && v.read > v.max:
		v.err = unfit("use a smaller image, if it is not a decompression bomb", "%s is larger than %d bytes", v.what, v.max)
	case err != nil:
		v.err = v.end(err)
	}
	if v.err != nil && v.err != io.EOF {
		return 0, v.err // nothing of what was refused
	}
	return n, v.err
}

// end judges how the content ended.
func (v *verified) end(err error) error {
	got := v.want.Algorithm + ":" + hex.EncodeToString(v.hash.Sum(nil))
	whole := v.size < 0 || v.read == v.size
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return err
	case err == io.EOF && whole && got == v.want.String():
		return io.EOF
	case whole && (err == io.EOF || v.size >= 0) && got != v.want.String():
		return v.mismatch("the digest %s, not %s", got, v.want)
	case err == io.EOF:
		return fault.New(v.broken, "it may be cut off: get it again", "reading %s: it ends after %d of %d bytes", v.what, v.read, v.size)
	}
	return fault.New(v.broken, "try again, or get the image again", "reading %s: %w", v.what, quiet{err})
}

func (v *verified) mismatch(format string, args ...any) error {
	args = append([]any{v.what}, args...)
	return fault.New(fault.Integrity, "find out who changed it before you trust it", "%s has "+format, args...)
}

// quiet is an error whose text is foreign: bounded and encoded.
type quiet struct{ err error }

func (q quiet) Error() string { return brief(q.err) }
func (q quiet) Unwrap() error { return q.err }

// readVerified reads small content whole.
func readVerified(r io.ReadCloser, what string, d v1.Descriptor, broken fault.Code) ([]byte, error) {
	if d.Size < 0 || d.Size > maxDocument {
		r.Close()
		return nil, unfit("name a container image", "%s claims to have %d bytes", what, d.Size)
	}
	v, err := newVerified(r, what, d.Digest, d.Size, maxDocument, broken)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return io.ReadAll(v)
}
