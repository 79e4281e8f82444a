package attesttest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// NewAzure starts a vault of Azure's for keys, as far as signing needs it
// (https://learn.microsoft.com/rest/api/keyvault), and the log-in that lets an
// application into it.
func NewAzure(t testing.TB) *Cloud {
	t.Helper()
	const (
		tenant = "11111111-2222-3333-4444-555555555555"
		client = "66666666-7777-8888-9999-000000000000"
		secret = "canary-secret-of-azure"
		token  = "canary-token-of-azure"
		vault  = "team.vault.azure.net"
		logIn  = "login.microsoftonline.com"
	)
	c := newCloud(t)
	c.Ref = "azurekms://" + vault + "/release"
	c.Environ = append(c.Environ, "AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_CLIENT_SECRET="+secret)

	entry := http.NewServeMux()
	entry.HandleFunc("GET /common/discovery/instance", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"tenant_discovery_endpoint": "https://" + logIn + "/" + tenant + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []any{map[string]any{"preferred_network": logIn, "preferred_cache": logIn, "aliases": []string{logIn}}}})
	})
	entry.HandleFunc("GET /"+tenant+"/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": "https://" + logIn + "/" + tenant + "/v2.0", "authorization_endpoint": "https://" + logIn + "/" + tenant + "/oauth2/v2.0/authorize",
			"token_endpoint": "https://" + logIn + "/" + tenant + "/oauth2/v2.0/token"})
	})
	entry.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", func(w http.ResponseWriter, req *http.Request) {
		c.ask("token")
		if req.FormValue("client_id") != client || req.FormValue("client_secret") != secret || req.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			answer(w, map[string]string{"error": "invalid_client"})
			return
		}
		answer(w, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": token})
	})
	c.Hosts[logIn] = entry

	keys := http.NewServeMux()
	refused := func(w http.ResponseWriter, req *http.Request) bool {
		switch {
		case req.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="https://%s/%s", resource="https://vault.azure.net"`, logIn, tenant))
			w.WriteHeader(http.StatusUnauthorized)
		case c.Refuse:
			w.WriteHeader(http.StatusForbidden)
			answer(w, map[string]any{"error": map[string]string{"code": "Forbidden", "message": "for " + secret + "\n::error::no"}})
		default:
			return false
		}
		return true
	}
	keys.HandleFunc("GET /keys/release/{$}", func(w http.ResponseWriter, req *http.Request) {
		if refused(w, req) {
			return
		}
		c.ask("GetKey")
		point, err := c.Key.PublicKey.Bytes()
		if err != nil {
			t.Error(err)
		}
		part := base64.RawURLEncoding.EncodeToString
		answer(w, map[string]any{"key": map[string]any{"kid": "https://" + vault + "/keys/release/1", "kty": "EC", "crv": "P-256", "key_ops": []string{"sign", "verify"},
			"x": part(point[1:33]), "y": part(point[33:])}, "attributes": map[string]any{"enabled": true}})
	})
	keys.HandleFunc("POST /keys/release/{version}/sign", func(w http.ResponseWriter, req *http.Request) { c.azureSign(w, req, refused) })
	keys.HandleFunc("POST /keys/release/sign", func(w http.ResponseWriter, req *http.Request) { c.azureSign(w, req, refused) })
	c.Hosts[vault] = keys
	return c
}

func (c *Cloud) azureSign(w http.ResponseWriter, req *http.Request, refused func(http.ResponseWriter, *http.Request) bool) {
	if refused(w, req) {
		return
	}
	c.ask("Sign")
	var in struct {
		Algorithm string `json:"alg"`
		Value     string `json:"value"`
	}
	err := json.NewDecoder(req.Body).Decode(&in)
	digest, err2 := base64.RawURLEncoding.DecodeString(in.Value)
	if err != nil || err2 != nil || in.Algorithm != "ES256" || len(digest) != 32 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r, s, err := ecdsa.Sign(rand.Reader, c.Key, digest)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	answer(w, map[string]string{"kid": "https://team.vault.azure.net/keys/release/1", "value": base64.RawURLEncoding.EncodeToString(raw)})
}
