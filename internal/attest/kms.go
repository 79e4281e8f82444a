package attest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	vault "github.com/hashicorp/vault/api"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/kms/aws"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vexxy/action/internal/fault"
)

// kmsTimeout bounds one use of a key management system. Their clients try again
// by themselves, and some of them without end.
const kmsTimeout = 30 * time.Second

// system is a key management system whose client is linked.
type system struct {
	scheme string
	valid  func(ref string) error
	// form is how its keys are named, access what its client wants.
	form, access string
	// variables are those by which its client is let in.
	variables []string
}

// systems are those of cosign.
var systems = []system{
	{
		hashivault.ReferenceScheme, hashivault.ValidReference, "hashivault://KEY",
		"check the key's name, VAULT_ADDR and VAULT_TOKEN: the token must be let read transit/keys/KEY and, to sign, update transit/sign/KEY; TRANSIT_SECRET_ENGINE_PATH names another engine than transit",
		[]string{vaultToken, "VAULT_HEADERS", "VAULT_CLIENT_KEY"},
	},
	{
		aws.ReferenceScheme, aws.ValidReference, "awskms://[ENDPOINT]/ID, awskms://[ENDPOINT]/alias/NAME or awskms://[ENDPOINT]/ARN",
		"check the key's name, AWS_REGION and the credentials of the environment: they need kms:GetPublicKey, kms:DescribeKey and, to sign, kms:Sign",
		[]string{
			"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_LOGIN_CACHE_DIRECTORY",
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		},
	},
	{
		azure.ReferenceScheme, azure.ValidReference, "azurekms://VAULT.vault.azure.net/KEY or …/KEY/VERSION",
		"check the key's name and the credentials of the environment (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, a managed identity, or az login): they need the key permissions get and, to sign, sign",
		[]string{
			"AZURE_CLIENT_SECRET", "AZURE_PASSWORD", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
			"AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_HEADER", "MSI_SECRET",
		},
	},
	{
		gcp.ReferenceScheme, gcp.ValidReference, "gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, with /cryptoKeyVersions/N for one version",
		"check the key's name and the credentials of the environment (GOOGLE_APPLICATION_CREDENTIALS): they need the roles cloudkms.viewer and, to sign, cloudkms.signerVerifier",
		[]string{"GOOGLE_APPLICATION_CREDENTIALS"},
	},
}

const vaultToken = "VAULT_TOKEN"

// systemOf gives the system that a key is of. One that is not linked is served
// by the program sigstore-kms-SYSTEM
// (https://github.com/sigstore/sigstore, pkg/signature/kms/cliplugin).
func systemOf(ref string) (s system, linked bool) {
	for _, s := range systems {
		if strings.HasPrefix(ref, s.scheme) {
			return s, true
		}
	}
	name, _, _ := strings.Cut(ref, "://")
	return system{access: "put the program sigstore-kms-" + cut(name) + " on the PATH, or give a file or env://NAME"}, false
}

// Managed reports whether a key is named by the key management system that it
// never leaves.
func Managed(ref string) bool {
	name, _, found := strings.Cut(ref, "://")
	return found && name != "env"
}

// CheckName reports a name that is no key's in its system. It asks nothing.
func CheckName(ref string) error {
	if s, linked := systemOf(ref); linked && s.valid(ref) != nil {
		return fault.New(fault.Usage, "write it as "+s.form, "opening the key %s: it is not how keys of this system are named", cut(ref))
	}
	return nil
}

// KeyVariables are the variables that let a program use a key's system, where
// the key is in one: whoever has them signs as well.
func KeyVariables(ref string) []string {
	s, _ := systemOf(ref)
	return s.variables
}

// managedKey is the key of a key management system: signature.Signer.
type managedKey struct {
	ref    string
	system system
	client kms.SignerVerifier
	public crypto.PublicKey
	// code is the exit code of its errors, limit the longest time of one use.
	code  fault.Code
	limit time.Duration
	// hidden are values that no message may hold: systems may quote them.
	hidden []string
}

// openManaged finds a key in its system.
func openManaged(ctx context.Context, ref string, getenv func(string) string, code fault.Code, limit time.Duration) (*managedKey, error) {
	if err := CheckName(ref); err != nil {
		return nil, err
	}
	s, _ := systemOf(ref)
	if s.scheme == hashivault.ReferenceScheme && getenv("VAULT_ADDR") == "" {
		return nil, fault.New(fault.Usage, s.access, "opening the key %s: VAULT_ADDR is not set", cut(ref))
	}
	k := &managedKey{ref: ref, system: s, code: code, limit: limit}
	for _, name := range s.variables {
		if value := strings.TrimSpace(getenv(name)); value != "" {
			k.hidden = append(k.hidden, value)
		}
	}
	// The client outlives the context, which some clients keep.
	lasting := context.WithoutCancel(ctx)
	connect := func(hash crypto.Hash) (kms.SignerVerifier, error) {
		return kms.Get(lasting, ref, hash, options.WithRPCAuthOpts(options.RPCAuth{
			Address: getenv("VAULT_ADDR"), Token: strings.TrimSpace(getenv(vaultToken)), Path: getenv("TRANSIT_SECRET_ENGINE_PATH"),
		}))
	}
	_, err := await(ctx, limit, func(ctx context.Context) (none struct{}, err error) {
		if k.client, err = connect(crypto.SHA256); err != nil {
			return none, err
		}
		if k.public, err = k.client.PublicKey(options.WithContext(ctx)); err != nil {
			return none, err
		}
		if _, is := k.public.(ed25519.PublicKey); is { // which signs messages, not digests
			k.client, err = connect(crypto.Hash(0))
		}
		return none, err
	})
	if err != nil {
		return nil, k.fault(ctx, "opening", err)
	}
	if err := checkKind(k.public); err != nil {
		return nil, fault.New(fault.Usage, keyHint(err), "opening the key %s: %w", cut(ref), err)
	}
	return k, nil
}

// attempt signs a text, so that a key that may not be used, or whose signatures
// are none that others check, is known before anything runs.
func (k *managedKey) attempt(ctx context.Context) error {
	const text = "vexxy may sign with this key"
	sig, err := k.SignMessage(strings.NewReader(text), options.WithContext(ctx))
	if err != nil {
		return err
	}
	v, err := signature.LoadVerifier(k.public, crypto.SHA256)
	if err == nil {
		err = v.VerifySignature(strings.NewReader(string(sig)), strings.NewReader(text))
	}
	if err != nil {
		return fault.New(fault.Usage, "use a key for ECDSA P-256 or RSA PKCS #1 v1.5 with SHA-256, or for Ed25519", "trying the key %s: its signature does not verify by its public key", cut(k.ref))
	}
	return nil
}

// SignMessage implements signature.Signer. It takes a context as an option.
func (k *managedKey) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	ctx := context.Background()
	for _, o := range opts {
		o.ApplyContext(&ctx)
	}
	sig, err := await(ctx, k.limit, func(ctx context.Context) ([]byte, error) {
		return k.client.SignMessage(message, options.WithContext(ctx))
	})
	return sig, k.fault(ctx, "signing with", err)
}

// PublicKey implements signature.PublicKeyProvider.
func (k *managedKey) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return k.public, nil
}

// fault gives an error of the system its code and hint. What the system says
// beside its status stays out of messages.
func (k *managedKey) fault(ctx context.Context, doing string, err error) error {
	var missing *kms.ProviderNotFoundError
	code, hint, text := k.code, k.system.access, ""
	switch answer, name := answered(err); {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil:
		return fault.New(code, hint, "%s the key %s: %w", doing, cut(k.ref), context.Cause(ctx))
	case errors.As(err, &missing):
		code, text = fault.Usage, "nothing here serves its system"
	case strings.Contains(err.Error(), missingInVault):
		code, text = fault.Usage, "its system has nothing by this name"
	case answer != 0:
		text = "its system answers with status " + strconv.Itoa(answer) + name
		switch {
		case answer == http.StatusNotFound:
			code = fault.Usage
		case answer == http.StatusTooManyRequests:
			hint = "the system limits requests: wait, and try again"
		case answer >= 500:
			hint = "the system is unwell: try again later"
		}
	default:
		text = err.Error()
	}
	for _, secret := range k.hidden {
		text = strings.ReplaceAll(text, secret, "REDACTED")
	}
	return fault.New(code, hint, "%s the key %s: %s", doing, cut(k.ref), bounded(strings.Join(strings.Fields(text), " ")))
}

// word is a name of an error that systems define.
var word = regexp.MustCompile(`^[A-Za-z]{3,40}$`)

// answered gives the status of an answer that is an error, 0 for another error,
// and the system's name for it.
func answered(err error) (code int, name string) {
	var ofVault *vault.ResponseError
	var ofAzure *azcore.ResponseError
	var ofAWS interface{ HTTPStatusCode() int }
	var named interface{ ErrorCode() string }
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &ofVault):
		return ofVault.StatusCode, ""
	case errors.As(err, &ofAzure):
		code, name = ofAzure.StatusCode, ofAzure.ErrorCode
	case errors.As(err, &ofAWS):
		if code = ofAWS.HTTPStatusCode(); errors.As(err, &named) {
			name = named.ErrorCode()
		}
		if meant := meantByAWS[name]; meant != 0 {
			code = meant
		}
	default:
		s, is := status.FromError(err)
		if !is {
			return 0, ""
		}
		code, name = httpStatus(s.Code()), s.Code().String()
	}
	if !word.MatchString(name) {
		return code, ""
	}
	return code, " (" + name + ")"
}

// meantByAWS are the statuses that it has names for, where its own is 400
// (https://docs.aws.amazon.com/kms/latest/APIReference, of each action).
var meantByAWS = map[string]int{"NotFoundException": http.StatusNotFound, "ThrottlingException": http.StatusTooManyRequests}

// missingInVault is what its client says, without a type, of status 404 and of
// an empty answer.
const missingInVault = "could not read data from transit key path"

// httpStatus is the HTTP status that a gRPC code stands for, 0 where nothing
// answered (https://github.com/googleapis/googleapis, google/rpc/code.proto).
func httpStatus(c codes.Code) int {
	switch c {
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Internal, codes.DataLoss, codes.Unimplemented:
		return http.StatusInternalServerError
	}
	return 0
}

// await gives what get gives, or ends with the context or after the limit: not
// all that is linked heeds a context. What panics there, as at an answer without
// sense, is an error.
func await[T any](ctx context.Context, limit time.Duration, get func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not answered within %s", limit))
	defer cancel()
	type result struct {
		got T
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("the answer makes no sense: %v", p)
			}
			done <- r
		}()
		r.got, r.err = get(ctx)
	}()
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			r.err = context.Cause(ctx)
		}
		return r.got, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
