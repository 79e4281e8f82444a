package attest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
)

// maxKey bounds a key's file or variable, in bytes.
const maxKey = 1 << 20

// keypair is a key that signs: sign.Keypair of sigstore-go.
type keypair struct {
	signer  signature.Signer
	public  crypto.PublicKey
	details signature.AlgorithmDetails
}

// loadKey reads a private key: a file, env://NAME, or one that stays in its key
// management system, as SYSTEM://…, each use of which takes at most limit. The
// password opens keys as cosign writes them; others have none.
func loadKey(ctx context.Context, ref string, password config.Secret, getenv func(string) string, limit time.Duration) (keypair, error) {
	if Managed(ref) {
		k, err := openManaged(ctx, ref, getenv, fault.Attest, limit)
		if err == nil {
			err = k.attempt(ctx)
		}
		if err != nil {
			return keypair{}, err
		}
		return newKeypair(k, ref)
	}
	raw, err := readKey(ref, getenv)
	if err != nil {
		return keypair{}, err
	}
	private, err := parsePrivate(raw, []byte(password.Reveal()))
	if err != nil {
		return keypair{}, fault.New(fault.Usage, keyHint(err), "reading the signing key from %s: %w", cut(ref), err)
	}
	signer, err := signature.LoadSigner(private, crypto.SHA256)
	if err != nil {
		return keypair{}, fault.New(fault.Usage, keyHint(err), "reading the signing key from %s: %w", cut(ref), err)
	}
	return newKeypair(signer, ref)
}

func newKeypair(signer signature.Signer, ref string) (keypair, error) {
	public, err := signer.PublicKey()
	if err == nil {
		err = checkKind(public)
	}
	if err != nil {
		return keypair{}, fault.New(fault.Usage, keyHint(err), "reading the signing key from %s: %w", cut(ref), err)
	}
	details, err := signature.GetDefaultAlgorithmDetails(public)
	if err != nil {
		return keypair{}, fault.New(fault.Usage, keyHint(err), "reading the signing key from %s: %w", cut(ref), err)
	}
	return keypair{signer, public, details}, nil
}

// readKey gives the bytes of a file or a variable.
func readKey(ref string, getenv func(string) string) ([]byte, error) {
	const hint = "name a file, env://NAME for a variable that holds the key, or SYSTEM://… for a key management system"
	if name, found := strings.CutPrefix(ref, "env://"); found {
		text := getenv(name)
		if text == "" {
			return nil, fault.New(fault.Usage, hint, "reading the key: the variable %s is empty or not set", cut(name))
		}
		return []byte(text), nil
	}
	f, err := os.Open(ref)
	if err != nil {
		return nil, fault.New(fault.Usage, hint, "reading the key: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err == nil && len(raw) > maxKey {
		err = fmt.Errorf("%s is no key: it has more than %d bytes", cut(ref), maxKey)
	}
	if err != nil {
		return nil, fault.New(fault.Usage, hint, "reading the key: %w", err)
	}
	return raw, nil
}

var (
	errNoKey    = errors.New("there is no private key in it")
	errPassword = errors.New("the password does not open it")
	errKind     = errors.New("keys of this kind are not used for signing images")
)

func keyHint(err error) string {
	switch {
	case errors.Is(err, errPassword):
		return "give the key's password by VEXXY_ATTEST_KEY_PASSWORD or COSIGN_PASSWORD"
	case errors.Is(err, errKind):
		return "use an ECDSA P-256, an RSA or an Ed25519 key: `cosign generate-key-pair` makes one"
	}
	return "give a private key in PEM form: `cosign generate-key-pair` makes one"
}

// parsePrivate reads a private key in PEM form. Its errors hold nothing of it.
func parsePrivate(raw, password []byte) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(bytes.TrimSpace(raw))
	if block == nil {
		return nil, errNoKey
	}
	der := block.Bytes
	var key any
	var err error
	switch block.Type {
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		if der, err = encrypted.Decrypt(der, password); err != nil {
			return nil, errPassword
		}
		key, err = x509.ParsePKCS8PrivateKey(der)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(der)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	default:
		return nil, errNoKey
	}
	if err != nil {
		return nil, errNoKey
	}
	return key, nil
}

// LoadPublicKey reads a public key in PEM form, a file or env://NAME, or asks a
// key management system for the one of SYSTEM://….
func LoadPublicKey(ctx context.Context, ref string, getenv func(string) string) (crypto.PublicKey, error) {
	if Managed(ref) {
		k, err := openManaged(ctx, ref, getenv, fault.Infra, kmsTimeout)
		if err != nil {
			return nil, err
		}
		return k.public, nil
	}
	raw, err := readKey(ref, getenv)
	if err != nil {
		return nil, err
	}
	return ParsePublicKey(raw, ref)
}

// ParsePublicKey reads a public key in PEM form; from says where it stood.
func ParsePublicKey(raw []byte, from string) (crypto.PublicKey, error) {
	const hint = "give a public key in PEM form: `cosign public-key --key cosign.key` prints it"
	key, err := cryptoutils.UnmarshalPEMToPublicKey(bytes.TrimSpace(raw))
	if err == nil {
		err = checkKind(key)
	}
	if err != nil {
		return nil, fault.New(fault.Usage, hint, "reading the public key from %s: %s", cut(from), bounded(err.Error()))
	}
	return key, nil
}

// checkKind accepts the kinds of keys whose signatures over SHA-256 all
// consumers check alike.
func checkKind(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return nil
		}
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return errKind
}

// fingerprint is the SHA-256 of a public key in its DER form.
func fingerprint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	s := sha256.Sum256(der)
	return "SHA256:" + hex.EncodeToString(s[:])
}

func derOf(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	return der, nil
}

// The methods of sigstore-go's sign.Keypair.

func (k keypair) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

func (k keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint gives the key's identifier in a bundle, as cosign makes it.
func (k keypair) GetHint() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return nil
	}
	s := sha256.Sum256(der)
	return []byte(base64.StdEncoding.EncodeToString(s[:]))
}

func (k keypair) GetKeyAlgorithm() string {
	switch k.public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA"
	case *rsa.PublicKey:
		return "RSA"
	}
	return "ED25519"
}

func (k keypair) GetPublicKey() crypto.PublicKey { return k.public }

func (k keypair) GetPublicKeyPem() (string, error) {
	text, err := cryptoutils.MarshalPublicKeyToPEM(k.public)
	return string(text), err
}

func (k keypair) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	sig, err = k.signer.SignMessage(bytes.NewReader(data), options.WithContext(ctx))
	s := sha256.Sum256(data)
	return sig, s[:], err
}
