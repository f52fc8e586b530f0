{{/* Values that cannot work, each with the sentence that says why. */}}
{{- define "jaas.refusals" -}}
{{- include "jaas.refusals.unsupported" . }}
{{- if contains "metio/jaas" .Values.image.repository }}
{{- fail (printf "image.repository: %s is the Go implementation; name an image of this one, or remove the value" .Values.image.repository) }}
{{- end }}
{{- if and .Values.networkPolicy.enabled .Values.networkPolicy.egress.enabled (not .Values.networkPolicy.egress.to) }}
{{- fail "networkPolicy.egress.to: needed where networkPolicy.egress.enabled is true, since without it the operator reaches neither the API server nor sources; name the API server, source-controller and the bucket" }}
{{- end }}
{{- if not (regexMatch "^[0-9]+s$" (toString .Values.arguments.shutdownDelay)) }}
{{- fail (printf "arguments.shutdownDelay: must be whole seconds such as 5s, got %q" (toString .Values.arguments.shutdownDelay)) }}
{{- end }}
{{- if not (regexMatch "^[A-Za-z0-9._-]+$" (include "jaas.text" .Values.arguments.jsonnetEndpointPath)) }}
{{- fail (printf "arguments.jsonnetEndpointPath: must be a word of A-Z a-z 0-9 . _ -, got %q" (toString .Values.arguments.jsonnetEndpointPath)) }}
{{- end }}
{{- include "jaas.refusals.memory" . }}
{{- include "jaas.refusals.images" (list "additionalLibraries" .Values.additionalLibraries) }}
{{- include "jaas.refusals.images" (list "snippets" .Values.snippets) }}
{{- if .Values.operator.enabled }}
{{- include "jaas.refusals.operator" . }}
{{- end }}
{{- end }}

{{/* What concerns the operator alone. */}}
{{- define "jaas.refusals.operator" -}}
{{- $storage := .Values.operator.storage }}
{{- if .Values.snippets }}
{{- fail "snippets: images of snippets are for the HTTP renderer alone; set operator.enabled to false, or write JsonnetSnippets and remove the value" }}
{{- end }}
{{- if not (has $storage.backend (list "local" "s3")) }}
{{- fail (printf "operator.storage.backend: must be local or s3, got %q" $storage.backend) }}
{{- end }}
{{- if eq $storage.backend "s3" }}
{{- include "jaas.refusals.s3" $storage.s3 }}
{{- if hasSuffix "%" (toString $storage.namespaceQuota) }}
{{- fail (printf "operator.storage.namespaceQuota: a bucket has no size to take a share of; give bytes such as 1Gi, got %q" (toString $storage.namespaceQuota)) }}
{{- end }}
{{- end }}
{{- include "jaas.refusals.libraries" .Values.operator.libraries }}
{{- include "jaas.refusals.replicas" . }}
{{- include "jaas.refusals.plugin" . }}
{{- include "jaas.refusals.webhook" .Values.operator.webhook }}
{{- end }}

{{/* What files/refused.yaml lists. */}}
{{- define "jaas.refusals.unsupported" -}}
{{- range (.Files.Get "files/refused.yaml" | fromYaml).refused }}
{{- $value := deepCopy $.Values }}
{{- $set := true }}
{{- range splitList "." .value }}
{{- $set = and $set (kindIs "map" $value) (hasKey (ternary $value dict (kindIs "map" $value)) .) }}
{{- if $set }}{{ $value = get $value . }}{{ end }}
{{- end }}
{{- if and $set (not (kindIs "invalid" $value)) }}
{{- $accepted := list }}
{{- range .accepted }}{{ $accepted = append $accepted (toJson .) }}{{ end }}
{{- if not (has (toJson $value) $accepted) }}
{{- fail (printf "%s: %s" .value .because) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jaas.refusals.webhook" -}}
{{- if .enabled }}
{{- if not (has .certMode (list "cert-manager" "self-signed")) }}
{{- fail (printf "operator.webhook.certMode: must be cert-manager or self-signed, got %q" .certMode) }}
{{- end }}
{{- if eq .certMode "cert-manager" }}
{{- if not .certManager.enabled }}
{{- fail "operator.webhook.certManager.enabled: must be true where operator.webhook.certMode is cert-manager, since nothing else makes the certificate" }}
{{- end }}
{{- if not .certManager.issuerRef.name }}
{{- fail "operator.webhook.certManager.issuerRef.name: needed where operator.webhook.certMode is cert-manager" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jaas.refusals.plugin" -}}
{{- range $list := list "viewers" "onCall" }}
{{- range index $.Values.plugin.rbac $list }}
{{- if not (and (kindIs "map" .) (has .kind (list "User" "Group" "ServiceAccount")) .name) }}
{{- fail (printf "plugin.rbac.%s: each entry needs a kind (User, Group or ServiceAccount) and a name, got %s" $list (toJson .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Names that become those of volumes. Takes a list: name of the value, the value. */}}
{{- define "jaas.refusals.images" -}}
{{- $value := first . }}
{{- range $name, $image := last . }}
{{- if or (not (regexMatch "^[a-z0-9]([a-z0-9_-]{0,40}[a-z0-9])?$" $name)) (has $name (list "images" "configmaps")) }}
{{- fail (printf "%s: a name is of lower-case letters, digits, dashes and underscores, at most 42, and neither images nor configmaps, got %q" $value $name) }}
{{- end }}
{{- if not $image }}
{{- fail (printf "%s.%s: must be the reference of an image" $value $name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jaas.refusals.libraries" -}}
{{- range $name, $map := .configMaps }}
{{- if not (regexMatch "^[A-Za-z0-9_-][A-Za-z0-9._-]*$" $name) }}
{{- fail (printf "operator.libraries.configMaps: a library is named by one segment of [A-Za-z0-9._-] that does not begin with a dot, got %q" $name) }}
{{- end }}
{{- if not $map }}
{{- fail (printf "operator.libraries.configMaps.%s: must be the name of a ConfigMap" $name) }}
{{- end }}
{{- end }}
{{- range $name, $image := .images }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$" $name) }}
{{- fail (printf "operator.libraries.images: a name is of lower-case letters, digits and dashes, at most 42, got %q" $name) }}
{{- end }}
{{- if not $image }}
{{- fail (printf "operator.libraries.images.%s: must be the reference of an image" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jaas.refusals.s3" -}}
{{- if not .endpoint }}
{{- fail "operator.storage.s3.endpoint: needed where operator.storage.backend is s3" }}
{{- end }}
{{- if contains "://" .endpoint }}
{{- fail (printf "operator.storage.s3.endpoint: must be HOST:PORT, and operator.storage.s3.useSSL chooses the scheme, got %q" .endpoint) }}
{{- end }}
{{- if not .bucket }}
{{- fail "operator.storage.s3.bucket: needed where operator.storage.backend is s3" }}
{{- end }}
{{- if and .anonymous .credentialsSecret.name }}
{{- fail "operator.storage.s3.anonymous: signs no request, so operator.storage.s3.credentialsSecret.name must be empty" }}
{{- end }}
{{- end }}

{{- define "jaas.refusals.replicas" -}}
{{- $least := int64 .Values.replicas.min }}
{{- $most := int64 .Values.replicas.max }}
{{- if lt $least 1 }}
{{- fail (printf "replicas.min: must be at least 1, got %d" $least) }}
{{- end }}
{{- if gt (max $least $most) 1 }}
{{- if ne (include "jaas.shared" .) "true" }}
{{- fail "replicas: more than one need a store that all of them reach: set operator.storage.backend to s3, or operator.storage.persistence.enabled to true with ReadWriteMany among operator.storage.persistence.accessModes" }}
{{- end }}
{{- if not .Values.operator.leaderElection.enabled }}
{{- fail "replicas: more than one would all write at once unless operator.leaderElection.enabled is true" }}
{{- end }}
{{- end }}
{{- end }}
