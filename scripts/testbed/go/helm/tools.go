//go:build tools

// Package tools only pins the helm command; nothing here is compiled.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
