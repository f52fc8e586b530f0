# Everything here is one command; `just` alone lists it.
_list:
    @just --list

# All tests, from value tests to the real control plane.
verify *arguments:
    cargo verify {{ arguments }}

# Jsonnet to applied objects on a real API server, step by step.
demo:
    cargo demo

# What a reviewer should not have to say.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Formats all Rust files.
fmt:
    cargo fmt --all

# Writes the files of the chart that come from the code.
generate:
    mkdir -p charts/jaas/files/crds charts/jaas/files/rbac
    cargo run --quiet --package jaas-operator -- generate crds > charts/jaas/files/crds/crds.yaml
    cargo run --quiet --package jaas-operator -- generate rbac > charts/jaas/files/rbac/operator.yaml
    cargo run --quiet --package jaas-operator -- generate tenant-rbac > charts/jaas/files/rbac/tenant.yaml
    cargo run --quiet --package jaas-tests --bin chart-schema > charts/jaas/values.schema.json.new
    mv charts/jaas/values.schema.json.new charts/jaas/values.schema.json
    cargo run --quiet --package jaas-findings --example generate -- page > docs/findings.md
    cargo run --quiet --package jaas-findings --example generate -- schema > shared/findings/schema/v1.json
    cargo run --quiet --package jaas-findings --example generate -- alerts > charts/jaas/files/findings.yaml
