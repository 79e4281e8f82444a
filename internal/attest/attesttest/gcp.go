package attesttest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// gcpKeys is Google's Cloud KMS over gRPC, as far as signing needs it
// (https://cloud.google.com/kms/docs/reference/rpc).
type gcpKeys struct {
	kmspb.UnimplementedKeyManagementServiceServer
	*Cloud
	caller *rsa.PublicKey
}

const (
	gcpKey     = "projects/team/locations/europe/keyRings/ring/cryptoKeys/release"
	gcpVersion = gcpKey + "/cryptoKeyVersions/3"
)

// NewGCP starts Google's Cloud KMS.
func NewGCP(t testing.TB) *Cloud {
	t.Helper()
	c := newCloud(t)
	c.Ref = "gcpkms://" + gcpKey
	caller, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(caller)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "team", "private_key_id": "canary-id-of-gcp", "client_email": "ci@team.iam.gserviceaccount.com", "client_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "canary-account.json")
	if err := os.WriteFile(path, account, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Environ = append(c.Environ, "GOOGLE_APPLICATION_CREDENTIALS="+path)
	server := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, gcpKeys{Cloud: c, caller: &caller.PublicKey})
	t.Cleanup(server.Stop)
	c.Hosts["cloudkms.googleapis.com"] = server
	return c
}

// allowed verifies the token that the caller's account has signed.
func (k gcpKeys) allowed(ctx context.Context, operation string) error {
	k.ask(operation)
	md, _ := metadata.FromIncomingContext(ctx)
	parts := strings.Split(strings.TrimPrefix(strings.Join(md.Get("authorization"), ""), "Bearer "), ".")
	if len(parts) != 3 {
		return status.Error(codes.Unauthenticated, "no token")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(k.caller, crypto.SHA256, digest[:], sig) != nil {
		return status.Error(codes.Unauthenticated, "another's token")
	}
	if k.Refuse {
		return status.Error(codes.PermissionDenied, "for "+strings.Join(parts, ".")+"\n::error::no")
	}
	return nil
}

func (k gcpKeys) version() *kmspb.CryptoKeyVersion {
	return &kmspb.CryptoKeyVersion{Name: gcpVersion, State: kmspb.CryptoKeyVersion_ENABLED, Algorithm: kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256}
}

func (k gcpKeys) GetCryptoKey(ctx context.Context, req *kmspb.GetCryptoKeyRequest) (*kmspb.CryptoKey, error) {
	if err := k.allowed(ctx, "GetCryptoKey"); err != nil {
		return nil, err
	}
	if req.GetName() != gcpKey {
		return nil, status.Error(codes.NotFound, "no such key")
	}
	return &kmspb.CryptoKey{Name: gcpKey, Purpose: kmspb.CryptoKey_ASYMMETRIC_SIGN}, nil
}

func (k gcpKeys) ListCryptoKeyVersions(ctx context.Context, _ *kmspb.ListCryptoKeyVersionsRequest) (*kmspb.ListCryptoKeyVersionsResponse, error) {
	if err := k.allowed(ctx, "ListCryptoKeyVersions"); err != nil {
		return nil, err
	}
	return &kmspb.ListCryptoKeyVersionsResponse{CryptoKeyVersions: []*kmspb.CryptoKeyVersion{k.version()}, TotalSize: 1}, nil
}

func (k gcpKeys) GetPublicKey(ctx context.Context, _ *kmspb.GetPublicKeyRequest) (*kmspb.PublicKey, error) {
	if err := k.allowed(ctx, "GetPublicKey"); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(k.Key.Public())
	if err != nil {
		return nil, err
	}
	return &kmspb.PublicKey{Pem: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), Algorithm: k.version().GetAlgorithm(), Name: gcpVersion}, nil
}

func (k gcpKeys) AsymmetricSign(ctx context.Context, req *kmspb.AsymmetricSignRequest) (*kmspb.AsymmetricSignResponse, error) {
	if err := k.allowed(ctx, "Sign"); err != nil {
		return nil, err
	}
	sums := crc32.MakeTable(crc32.Castagnoli)
	digest := req.GetDigest().GetSha256()
	if req.GetName() != gcpVersion || len(digest) != sha256.Size || req.GetDigestCrc32C().GetValue() != int64(crc32.Checksum(digest, sums)) {
		return nil, status.Error(codes.InvalidArgument, "another digest")
	}
	sig, err := k.Key.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &kmspb.AsymmetricSignResponse{
		Name: gcpVersion, Signature: sig, VerifiedDigestCrc32C: true, SignatureCrc32C: wrapperspb.Int64(int64(crc32.Checksum(sig, sums))),
	}, nil
}
