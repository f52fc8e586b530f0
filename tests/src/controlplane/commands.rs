//! The command lines of the control plane's programs. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::certificates::Files;
use super::{Options, audit};
use crate::programs::Programs;
use crate::supervisor::{AtEnd, Program};

/// Where the programs listen, all on loopback.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peer: u16,
    pub(super) api_server: u16,
    pub(super) controller_manager: u16,
}

/// All that the command lines are made of.
pub(super) struct Layout<'a> {
    pub(super) work: &'a Path,
    pub(super) programs: &'a Programs,
    pub(super) files: &'a Files,
    pub(super) ports: Ports,
    pub(super) options: &'a Options,
}

impl Layout<'_> {
    pub(super) fn etcd(&self) -> Program {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        let mut args = vec![
            format!("--data-dir={}", self.work.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
        ];
        if !self.options.fsync {
            args.push("--unsafe-no-fsync".to_owned());
        }
        program(self.work, "etcd", &self.programs.etcd, args)
    }

    pub(super) fn api_server(&self) -> Program {
        let files = self.files;
        let mut args = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.ports.api_server),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--tls-cert-file={}", files.certificate.display()),
            format!("--tls-private-key-file={}", files.key.display()),
            format!("--client-ca-file={}", files.authority.display()),
            format!("--kubelet-certificate-authority={}", files.authority.display()),
            format!("--kubelet-client-certificate={}", files.kubelet_client_certificate.display()),
            format!("--kubelet-client-key={}", files.kubelet_client_key.display()),
            format!("--cert-dir={}", self.work.join("certs").display()),
            "--authorization-mode=RBAC".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", files.token_public_key.display()),
            format!("--service-account-signing-key-file={}", files.token_key.display()),
        ];
        if self.options.audit {
            args.extend(audit::arguments(self.work));
        }
        args.extend(self.options.api_server_args.iter().cloned());
        program(self.work, "kube-apiserver", &self.programs.kube_apiserver, args)
    }

    /// Five controllers: without them namespaces never end, owner references are not collected, and neither service
    /// accounts nor aggregated roles appear. Five more where workloads are to run.
    pub(super) fn controller_manager(&self, kubeconfig: &Path) -> Program {
        let kubeconfig = kubeconfig.display();
        let mut controllers = vec![
            "namespace-controller",
            "garbage-collector-controller",
            "serviceaccount-controller",
            "root-ca-certificate-publisher-controller",
            "clusterrole-aggregation-controller",
        ];
        if self.options.workloads {
            controllers.extend([
                "deployment-controller",
                "replicaset-controller",
                "endpointslice-controller",
                // The service proxy still reads what this one writes.
                "endpoints-controller",
                "disruption-controller",
            ]);
        }
        let args = vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            // Otherwise it complains every minute that there is no request-header authority.
            "--authentication-skip-lookup=true".to_owned(),
            format!("--service-account-private-key-file={}", self.files.token_key.display()),
            format!("--root-ca-file={}", self.files.authority.display()),
            format!("--secure-port={}", self.ports.controller_manager),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", self.work.join("kcm").display()),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=false".to_owned(),
            format!("--controllers={}", controllers.join(",")),
        ];
        program(self.work, "kube-controller-manager", &self.programs.kube_controller_manager, args)
    }
}

/// A contender for a Lease by client-go's election: a kube-controller-manager whose one controller has nothing to do.
pub(super) fn contender(
    work: &Path,
    programs: &Programs,
    kubeconfig: &Path,
    port: u16,
    lease: (&str, &str),
) -> Program {
    let kubeconfig = kubeconfig.display();
    let (namespace, name) = lease;
    let args = vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--authentication-skip-lookup=true".to_owned(),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--cert-dir={}", work.join("contender").display()),
        "--leader-elect=true".to_owned(),
        format!("--leader-elect-resource-namespace={namespace}"),
        format!("--leader-elect-resource-name={name}"),
        "--controllers=ttl-after-finished-controller".to_owned(),
    ];
    program(work, "contender", &programs.kube_controller_manager, args)
}

/// A program whose data is thrown away, with a log named after it.
pub(crate) fn program(work: &Path, name: &str, executable: &Path, args: Vec<String>) -> Program {
    Program {
        name: name.to_owned(),
        executable: executable.to_owned(),
        args,
        env: environment(work),
        directory: work.to_owned(),
        log: log(work, name),
        at_end: AtEnd::Kill,
    }
}

/// The log of a program.
pub(super) fn log(work: &Path, name: &str) -> PathBuf {
    work.join(format!("{name}.log"))
}

/// The least that programs expect, and nothing that the user may have set.
fn environment(work: &Path) -> BTreeMap<String, String> {
    let work = work.display().to_string();
    BTreeMap::from([
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ("HOME".to_owned(), work.clone()),
        ("TMPDIR".to_owned(), work),
    ])
}
