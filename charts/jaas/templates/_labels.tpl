{{/* Labels by which objects of this release find each other. They never change: a Deployment's cannot. */}}
{{- define "jaas.selector" -}}
{{ include "jaas.selector.component" (list . "jaas") }}
{{- end }}

{{/* The same for Pods that are not the operator's. Takes a list: the root, the component. */}}
{{- define "jaas.selector.component" -}}
app.kubernetes.io/name: jaas
app.kubernetes.io/component: {{ last . }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/part-of: jaas
{{- end }}

{{/* Labels of every object. */}}
{{- define "jaas.labels" -}}
{{ include "jaas.labels.component" (list . "jaas") }}
{{- end }}

{{/* Labels of an object that is no part of the operator's Pods. Takes a list: the root, the component. */}}
{{- define "jaas.labels.component" -}}
{{- with first . -}}
app.kubernetes.io/name: jaas
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: jaas
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{/* Further labels from a values file. Takes a list: name of the value, the value. */}}
{{- define "jaas.labels.further" -}}
{{- $name := first . }}
{{- range $label, $value := last . }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (eq $label "helm.sh/chart") }}
{{- fail (printf "%s: the label %s is the chart's own; choose another name" $name $label) }}
{{- end }}
{{ $label }}: {{ include "jaas.text" $value | quote }}
{{- end }}
{{- end }}

{{/* What every Service says of addresses. */}}
{{- define "jaas.families" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
