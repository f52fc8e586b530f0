module controlplane/mixins

go 1.26.8

require (
	github.com/prometheus/alertmanager v0.34.2
	github.com/prometheus/node_exporter v1.12.1
	github.com/prometheus/prometheus v0.316.0
)
