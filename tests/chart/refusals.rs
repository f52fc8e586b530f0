//! Values that cannot work are refused with the sentence that says why.

use super::helm::Helm;
use super::said;

/// Settings, and what is said of them.
const REFUSED: [(&[&str], &str); 38] = [
    (
        &["resources.memory=543Mi"],
        r#"resources.memory: must be at least 544Mi, or the operator does not start: 288Mi for itself and its caches (operator.storage.cache, and operator.sources.cache three times), and 256Mi for an evaluation (arguments.evaluationMemory); got "543Mi""#,
    ),
    (&["operator.enabled=false", "resources.memory=300Mi"], "resources.memory: must be at least 384Mi"),
    (
        &["snippets.web=ghcr.io/example/web"],
        "snippets: images of snippets are for the HTTP renderer alone; set operator.enabled to false, or write JsonnetSnippets",
    ),
    (
        &["operator.enabled=false", "snippets.Web=ghcr.io/example/web"],
        r#"snippets: a name is of lower-case letters, digits, dashes and underscores, at most 42, and neither images nor configmaps, got "Web""#,
    ),
    (&["additionalLibraries.images=ghcr.io/example/web"], "additionalLibraries: a name is of lower-case letters"),
    (&["additionalLibraries.web="], "additionalLibraries.web: must be the reference of an image"),
    (
        &["arguments.jsonnetEndpointPath=a/b"],
        r#"arguments.jsonnetEndpointPath: must be a word of A-Z a-z 0-9 . _ -, got "a/b""#,
    ),
    (&["operator.mcp.enabled=true"], "operator.mcp.enabled: there is no MCP server; remove operator.mcp and ports.mcp"),
    (&["operator.mcp.allowMutations=true"], "operator.mcp.allowMutations: there is no MCP server"),
    (
        &["image.registry=ghcr.io", "image.repository=metio/jaas"],
        "image.repository: metio/jaas is the Go implementation; name an image of this one, or remove the value",
    ),
    (
        &["networkPolicy.fromSourceControllerSelector.app=source-controller"],
        "networkPolicy.fromSourceControllerSelector: who may fetch artifacts is told in networkPolicy.storage.from",
    ),
    (&["networkPolicy.engine=cilium"], "networkPolicy.engine: only kubernetes is rendered"),
    (&["serviceMesh.enabled=true"], "serviceMesh.enabled: policies of a service mesh are not rendered"),
    (
        &["operator.storage.s3.accessKey=AKIA"],
        "operator.storage.s3.accessKey: keys do not belong into a Pod's arguments; put them into a Secret",
    ),
    (
        &["networkPolicy.enabled=true", "networkPolicy.egress.enabled=true"],
        "networkPolicy.egress.to: needed where networkPolicy.egress.enabled is true",
    ),
    (
        &["pod.additionalLabels.app\\.kubernetes\\.io/name=other"],
        "pod.additionalLabels: the label app.kubernetes.io/name is the chart's own; choose another name",
    ),
    // What nobody knows is a mistake of the pen.
    (&["operator.mpc.enabled=true"], "additional properties 'mpc' not allowed"),
    (
        &["plugin.rbac.onCall[0].kind=Team"],
        r#"plugin.rbac.onCall: each entry needs a kind (User, Group or ServiceAccount) and a name, got {"kind":"Team"}"#,
    ),
    (&["operator.enabled=false", "arguments.shutdownDelay=1m"], "arguments.shutdownDelay: must be whole seconds"),
    (&["arguments.shutdownDelay=1m"], r#"arguments.shutdownDelay: must be whole seconds such as 5s, got "1m""#),
    // The schema says this one.
    (&["operator.storage.backend=nfs"], "at '/operator/storage/backend': value must be one of 'local', 's3'"),
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
    // The schema says this one.
    (
        &["operator.webhook.certMode=magic"],
        "at '/operator/webhook/certMode': value must be one of 'cert-manager', 'self-signed'",
    ),
    (
        &["operator.enabled=true", "operator.webhook.enabled=true", "operator.webhook.certMode=cert-manager"],
        "operator.webhook.certManager.issuerRef.name: needed where operator.webhook.certMode is cert-manager",
    ),
    (
        &[
            "operator.enabled=true",
            "operator.webhook.enabled=true",
            "operator.webhook.certMode=cert-manager",
            "operator.webhook.certManager.enabled=false",
        ],
        "operator.webhook.certManager.enabled: must be true where operator.webhook.certMode is cert-manager",
    ),
    (&["operator.webhook.caBundle=x"], "additional properties 'caBundle' not allowed"),
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

#[test]
fn what_this_chart_lacks_is_refused_unless_it_says_nothing() {
    let helm = Helm::new();
    // All of it, as the Go implementation's chart has it.
    helm.objects(&super::helm::ValueSet::named("peer-defaults"));
    let file = std::fs::read_to_string(super::helm::chart().join("files/refused.yaml")).unwrap();
    let list: serde_json::Value = serde_saphyr::from_str(&file).unwrap();
    let refused = list["refused"].as_array().unwrap();
    assert!(refused.len() > 20);
    for refusal in refused {
        let (value, because) = (refusal["value"].as_str().unwrap(), refusal["because"].as_str().unwrap());
        let output = helm.template("jaas-system", &["--set-string", &format!("{value}=other")]);
        assert!(said(&output).contains(&format!("{value}: {because}")), "{value}: {}", said(&output));
    }
}
