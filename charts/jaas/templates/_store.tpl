{{/* Where the store is: s3, claim or pod. */}}
{{- define "jaas.store" -}}
{{- if eq .Values.operator.storage.backend "s3" }}s3{{ else if .Values.operator.storage.persistence.enabled }}claim{{ else }}pod{{ end }}
{{- end }}

{{/* "true" where every Pod reaches the same store at once. */}}
{{- define "jaas.shared" -}}
{{- $mounts := has "ReadWriteMany" .Values.operator.storage.persistence.accessModes }}
{{- $store := include "jaas.store" . }}
{{- if or (eq $store "s3") (and (eq $store "claim") $mounts) }}true{{ end }}
{{- end }}

{{/*
Bytes that a local store may hold; empty where nothing limits it but the volume. A volume of the Pod is filled to 85 % at most, because the
kubelet evicts a Pod whose volume exceeds its limit.
*/}}
{{- define "jaas.quota" -}}
{{- $storage := .Values.operator.storage }}
{{- if ne (toString $storage.quota) "" }}
{{- include "jaas.bytes" (list "operator.storage.quota" $storage.quota) }}
{{- else if eq (include "jaas.store" .) "pod" }}
{{- $limit := include "jaas.bytes" (list "operator.storage.sizeLimit" $storage.sizeLimit) | int64 }}
{{- div (mul $limit 85) 100 }}
{{- end }}
{{- end }}

{{/* Folders of the container in which the Secret and the ConfigMap of an S3 store are. */}}
{{- define "jaas.s3.credentials" -}}/etc/jaas/s3/credentials{{- end }}
{{- define "jaas.s3.ca" -}}/etc/jaas/s3/ca{{- end }}

{{/* Folder of the container below which libraries are mounted. */}}
{{- define "jaas.libraries" -}}/srv/libraries{{- end }}

{{/* Images of libraries that are mounted below paths.libraries, by their names. */}}
{{- define "jaas.images.libraries" -}}
{{- $images := dict }}
{{- range $name := list "grafonnet" "docsonnet" "xtd" }}
{{- with get $.Values.libraries $name }}
{{- if .enabled }}
{{- $_ := set $images $name (printf "%s/%s:%s" .registry .repository (include "jaas.text" .version)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml (mergeOverwrite $images (deepCopy (.Values.additionalLibraries | default dict))) }}
{{- end }}

{{/* Their names with a comma between them: those that everybody knows, then the others by the alphabet. */}}
{{- define "jaas.images.order" -}}
{{- $names := list }}
{{- range $name := list "grafonnet" "docsonnet" "xtd" }}
{{- if (get $.Values.libraries $name).enabled }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- range $name := keys (.Values.additionalLibraries | default dict) | sortAlpha }}
{{- if not (has $name $names) }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- join "," $names }}
{{- end }}

{{/* Address under which consumers reach the storage server. */}}
{{- define "jaas.baseURL" -}}
{{- $built := printf "http://jaas-storage.%s.svc.cluster.local:%d" .Release.Namespace (int64 .Values.ports.storage) }}
{{- .Values.operator.storage.baseURL | default $built }}
{{- end }}
