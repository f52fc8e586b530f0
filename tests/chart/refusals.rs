//! Values that cannot work are refused with the sentence that says why.

use super::helm::Helm;
use super::said;

/// Settings, and what is said of them.
const REFUSED: [(&[&str], &str); 17] = [
    (
        &["plugin.rbac.onCall[0].kind=Team"],
        r#"plugin.rbac.onCall: each entry needs a kind (User, Group or ServiceAccount) and a name, got {"kind":"Team"}"#,
    ),
    (
        &["operator.enabled=false"],
        "operator.enabled: there is no HTTP renderer yet, so without the operator there is nothing to run",
    ),
    (&["arguments.shutdownDelay=1m"], r#"arguments.shutdownDelay: must be whole seconds such as 5s, got "1m""#),
    (&["operator.storage.backend=nfs"], r#"operator.storage.backend: must be local or s3, got "nfs""#),
    (
        &["operator.storage.backend=s3", "operator.storage.s3.bucket=b"],
        "operator.storage.s3.endpoint: needed where operator.storage.backend is s3",
    ),
    (
        &["operator.storage.backend=s3", "operator.storage.s3.endpoint=s:9000"],
        "operator.storage.s3.bucket: needed where operator.storage.backend is s3",
    ),
    (
        &["operator.storage.backend=s3", "operator.storage.s3.bucket=b", "operator.storage.s3.endpoint=http://s:9000"],
        r#"operator.storage.s3.endpoint: must be HOST:PORT, and operator.storage.s3.useSSL chooses the scheme, got "http://s:9000""#,
    ),
    (
        &[
            "operator.storage.backend=s3",
            "operator.storage.s3.bucket=b",
            "operator.storage.s3.endpoint=s:9000",
            "operator.storage.s3.anonymous=true",
            "operator.storage.s3.credentialsSecret.name=keys",
        ],
        "operator.storage.s3.anonymous: signs no request, so operator.storage.s3.credentialsSecret.name must be empty",
    ),
    (
        &["operator.storage.namespaceQuota=a quarter"],
        r#"operator.storage.namespaceQuota: must be a number of bytes such as 256Mi, got "a quarter""#,
    ),
    (
        &[
            "operator.storage.backend=s3",
            "operator.storage.s3.bucket=b",
            "operator.storage.s3.endpoint=s:9000",
            "operator.storage.namespaceQuota=25%",
        ],
        r#"operator.storage.namespaceQuota: a bucket has no size to take a share of; give bytes such as 1Gi, got "25%""#,
    ),
    (&["replicas.min=0"], "replicas.min: must be at least 1, got 0"),
    (&["replicas.min=2"], UNSHARED),
    (&["replicas.max=2"], UNSHARED),
    (&["replicas.max=2", "operator.storage.persistence.enabled=true"], UNSHARED),
    // What is not mounted is not shared.
    (&["replicas.max=2", "operator.storage.persistence.accessModes={ReadWriteMany}"], UNSHARED),
    (
        &[
            "replicas.min=2",
            "operator.leaderElection.enabled=false",
            "operator.storage.persistence.enabled=true",
            "operator.storage.persistence.accessModes={ReadWriteMany}",
        ],
        "replicas: more than one would all write at once unless operator.leaderElection.enabled is true",
    ),
    (
        &["operator.storage.sizeLimit=plenty"],
        r#"operator.storage.sizeLimit: must be a number of bytes such as 256Mi, got "plenty""#,
    ),
];

const UNSHARED: &str = "replicas: more than one need a store that all of them reach: set operator.storage.backend to s3, or \
    operator.storage.persistence.enabled to true with ReadWriteMany among operator.storage.persistence.accessModes";

#[test]
fn values_that_cannot_work_are_refused_with_a_sentence() {
    let helm = Helm::new();
    for (settings, sentence) in REFUSED {
        let set: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let output = helm.template("jaas-system", &set);
        assert!(!output.status.success(), "{settings:?} is accepted");
        assert!(said(&output).contains(sentence), "{settings:?}: {}", said(&output));
    }
}
