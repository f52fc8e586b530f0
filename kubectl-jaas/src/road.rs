//! The ways to the store, and what each of them can do.
//!
//! A command says what it needs; [`open`] takes the first road that leads there, and tells of those that did not.

mod admin;
mod backing;
mod connect;
mod failure;
mod files;
mod order;
mod pods;

use jaas_api::admin::Stats;
use jaas_findings::facts::{Flags, Inventory, RoadKind};
use jaas_findings::known::Obstacle;

pub(crate) use self::admin::{Admin, FLAG as ADMIN_FLAG};
pub(crate) use self::backing::{Backing, damaged};
pub(crate) use self::failure::Failure;
pub(crate) use self::files::{Files, prove};
use self::order::Step;
use crate::cli::{OperatorArgs, RoadArgs, Route};
use crate::facts;
use crate::operator::Operator;
use crate::run::Run;
use crate::session::{Session, Writes};

/// What a command needs of a road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// How full the store is and what decides about its files.
    Stats,
    /// A listing.
    List,
    /// The verdict on stored artifacts.
    Verify,
    /// The bytes of single artifacts.
    Bytes,
    /// To change something.
    Act,
}

impl Need {
    /// What it is, in a sentence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Stats => "how full the store is",
            Self::List => "a listing of the store",
            Self::Verify => "a verdict on stored artifacts",
            Self::Bytes => "the bytes of an artifact",
            Self::Act => "a change of the store",
        }
    }
}

/// Where the store is, and who asks.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) session: &'a Session,
    pub(crate) run: &'a Run,
    /// The operator, where it can be seen.
    pub(crate) operator: Option<&'a Operator>,
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its settings, with defaults.
    pub(crate) flags: &'a Flags,
    pub(crate) args: &'a RoadArgs,
    pub(crate) place: &'a OperatorArgs,
    pub(crate) writes: Writes,
}

/// A road that leads there.
pub(crate) enum Road {
    /// The admin endpoint.
    Admin(Box<Admin>),
    /// The storage server.
    Files(Box<Files>),
    /// The bucket or folder itself.
    Backing(Box<Backing>),
}

/// A road, and those that were tried before.
pub(crate) struct Opened {
    pub(crate) road: Road,
    pub(crate) tried: Vec<Failure>,
}

impl Road {
    /// Which one.
    pub(crate) fn kind(&self) -> RoadKind {
        match self {
            Self::Admin(_) => RoadKind::Admin,
            Self::Files(files) => files.kind,
            Self::Backing(backing) => backing.kind(),
        }
    }

    /// The word for it, with its end.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Admin(admin) => format!("admin endpoint of {}", admin.place()),
            Self::Files(files) => files.words(),
            Self::Backing(backing) => backing.words(),
        }
    }

    /// What lies in the store, and the namespaces that may not be listed.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn inventory(&self, namespace: Option<&str>) -> Result<(Inventory, Vec<String>), Failure> {
        match self {
            Self::Admin(admin) => admin.inventory(namespace).await,
            Self::Backing(backing) => backing.inventory(namespace).await.map(|inventory| (inventory, Vec::new())),
            Self::Files(files) => Err(cannot(files.word(), Need::List)),
        }
    }

    /// How the store is.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn stats(&self, flags: &Flags) -> Result<Stats, Failure> {
        match self {
            Self::Admin(admin) => admin.stats().await,
            Self::Backing(backing) => backing.stats(flags).await,
            Self::Files(files) => Err(cannot(files.word(), Need::Stats)),
        }
    }
}

/// The first road that leads to what is needed.
///
/// # Errors
/// Every road that was tried, with what stood in the way.
pub(crate) async fn open(site: &Site<'_>, need: Need) -> Result<Opened, Vec<Failure>> {
    let has_bucket = site.flags.backend() == "s3" && (site.args.s3_endpoint.is_some() || has_keys());
    let mut tried = Vec::new();
    for step in order::steps(site.args, need, has_bucket) {
        let opened = match step {
            Step::Cannot(failure) => Err(failure),
            Step::Try(Route::Admin) => Admin::open(site).await.map(|admin| Road::Admin(Box::new(admin))),
            Step::Try(Route::PortForward) => forward(site).await,
            Step::Try(Route::ServiceProxy) => proxy(site).await,
            Step::Try(Route::Direct) => direct(site).await,
            Step::Try(Route::S3) => Backing::bucket(site).await.map(|backing| Road::Backing(Box::new(backing))),
            Step::Try(Route::Path | Route::Auto) => {
                Backing::folder(site).map(|backing| Road::Backing(Box::new(backing)))
            }
        };
        match opened {
            Ok(road) => return Ok(Opened { road, tried }),
            Err(failure) => tried.push(failure),
        }
    }
    Err(tried)
}

/// Whether whoever runs this seems to have keys for an object store. Asking the network for some takes seconds where there are none.
fn has_keys() -> bool {
    let named = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    named.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        || home.is_some_and(|home| home.join(".aws/credentials").exists())
}

/// The bucket beside another road, where whoever runs this seems to have keys for it.
pub(crate) async fn bucket_beside(site: &Site<'_>) -> Option<Backing> {
    let is_there = site.flags.backend() == "s3" && (site.args.s3_endpoint.is_some() || has_keys());
    if is_there { Backing::bucket(site).await.ok() } else { None }
}

async fn forward(site: &Site<'_>) -> Result<Road, Failure> {
    let files = forwarded(site).await?;
    files.answers().await?;
    Ok(Road::Files(Box::new(files)))
}

/// The storage server inside the Pod that leads, or any that works. Nothing is asked of it yet.
///
/// # Errors
/// There is no such Pod, or it cannot be seen.
pub(crate) async fn forwarded(site: &Site<'_>) -> Result<Files, Failure> {
    let word = Route::PortForward.word();
    let Some(operator) = site.operator else {
        return Err(Failure::new(word, Obstacle::NoRoad, "no operator can be seen whose Pod to go to"));
    };
    let chosen = pods::choose(site, operator).await.map_err(|error| Failure::of(word, &error))?;
    let Some(chosen) = chosen else {
        let cause = format!("no Pod of {} works", operator.path());
        return Err(Failure::new(word, Obstacle::NoRoad, cause).help("see why: kubectl jaas doctor pods"));
    };
    let port = site.flags.get("storage-port").and_then(|port| port.parse().ok()).unwrap_or(STORAGE_PORT);
    Ok(Files::inside(site.session, operator.namespace(), &chosen.name, port))
}

/// Where the storage server listens unless it is told otherwise.
const STORAGE_PORT: u16 = 8082;

async fn proxy(site: &Site<'_>) -> Result<Road, Failure> {
    let word = Route::ServiceProxy.word();
    let service = match facts::storage_service(site.session, site.namespace, site.operator).await {
        jaas_findings::Known::Yes(Some(service)) => service,
        jaas_findings::Known::Yes(None) => {
            let cause = format!("no Service in {} leads to the storage server", site.namespace);
            return Err(Failure::new(word, Obstacle::NoRoad, cause));
        }
        jaas_findings::Known::No(why) => return Err(Failure::new(word, why.why, why.detail)),
    };
    let files = Files::by_proxy(site.session, site.namespace, &service.name, service.port);
    let files = files.map_err(|error| Failure::of(word, &error))?;
    files.answers().await?;
    Ok(Road::Files(Box::new(files)))
}

async fn direct(site: &Site<'_>) -> Result<Road, Failure> {
    let word = Route::Direct.word();
    let Some(base) = site.flags.get("storage-base-url") else {
        return Err(Failure::new(word, Obstacle::NoRoad, "no address is announced: --storage-base-url is not set"));
    };
    let files = Files::by_address(site.session, base).map_err(|error| Failure::of(word, &error))?;
    files.answers().await?;
    Ok(Road::Files(Box::new(files)))
}

/// A road that cannot do what is needed.
fn cannot(road: &'static str, need: Need) -> Failure {
    let cause = match (road, need) {
        ("s3" | "path", Need::Act) => {
            "changes go through the leader, which knows what it is writing; this road goes round it".to_owned()
        }
        (_, need) => format!("it does not offer {}", need.words()),
    };
    let how = match need {
        Need::Bytes => "use --route port-forward, service-proxy, direct, s3 or path",
        Need::Verify => "use --route auto",
        Need::Act => "use --route admin",
        Need::Stats | Need::List => "use --route admin, s3 or path",
    };
    Failure::new(road, Obstacle::NotOffered, cause).help(how)
}
