{{/* The operator's image. */}}
{{- define "jaas.image" -}}
{{- with .Values.image -}}
{{ with .registry }}{{ . }}/{{ end }}{{ .repository }}:{{ include "jaas.text" .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
