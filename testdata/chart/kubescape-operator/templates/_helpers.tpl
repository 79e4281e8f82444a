{{/* What selects a component's pods: (list $ "NAME"). */}}
{{- define "selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* A component's labels: (list $ "NAME"). */}}
{{- define "labels" -}}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.AppVersion }}
{{ include "selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
app.kubernetes.io/part-of: kubescape
app: {{ index . 1 }}
tier: ks-control-plane
kubescape.io/ignore: "true"
kubescape.io/tier: core
{{- end }}

{{/* The name, namespace and labels of a component's object: (list $ "NAME"). */}}
{{- define "metadata" -}}
name: {{ index . 1 }}
namespace: {{ (index . 0).Values.ksNamespace }}
labels: {{- include "labels" . | nindent 2 }}
{{- end }}

{{/* The same for one that no namespace holds. */}}
{{- define "clusterMetadata" -}}
name: {{ index . 1 }}
labels: {{- include "labels" . | nindent 2 }}
{{- end }}

{{/* Who a component's pods are: (list $ "NAME"). */}}
{{- define "subjects" -}}
- kind: ServiceAccount
  name: {{ index . 1 }}
  namespace: {{ (index . 0).Values.ksNamespace }}
{{- end }}

{{- define "image" -}}
image: {{ .image.repository }}:{{ .image.tag }}
imagePullPolicy: {{ .image.pullPolicy }}
{{- end }}

{{- define "logger" -}}
- {name: KS_LOGGER_LEVEL, value: {{ .Values.logger.level }}}
- {name: KS_LOGGER_NAME, value: {{ .Values.logger.name }}}
{{- end }}
