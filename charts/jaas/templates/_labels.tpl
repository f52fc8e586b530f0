{{/* Labels by which objects of this release find each other. They never change. */}}
{{- define "jaas.selector" -}}
app.kubernetes.io/name: jaas
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "jaas.labels" -}}
{{ include "jaas.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
