//! Asks the storage server for files, by each road that is wanted.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use jaas_findings::facts::network::Reach;
use jaas_findings::facts::snippets::path_of;
use jaas_findings::facts::{Answer, Artifact, Facts, Reply, Road, RoadKind};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};

use super::{Ask, tell};
use crate::cli::{Depth, Route};
use crate::road::{self, Files, Site};

/// What is asked for.
struct Question<'a> {
    facts: &'a Facts,
    artifacts: Vec<&'a Artifact>,
    depth: Depth,
}

/// Walks the roads that were asked for; none where there is nothing to ask for.
pub(super) async fn walk(ask: &Ask<'_>, site: &Site<'_>, facts: &Facts) -> Vec<Road> {
    let Some(artifacts) = facts.artifacts.ok() else { return Vec::new() };
    let artifacts: Vec<_> = artifacts.iter().filter(|it| it.ours && !it.path.is_empty()).collect();
    let question = Question { facts, artifacts, depth: ask.depth };
    match ask.road.route {
        Route::Auto => both(site, &question).await,
        Route::ServiceProxy => vec![question.by_proxy(site).await],
        Route::PortForward => vec![question.inside(site, true).await],
        Route::Direct => question.by_address(site).await.into_iter().collect(),
        Route::Admin | Route::S3 | Route::Path => Vec::new(),
    }
}

/// Through the Service, which tells what the control plane gets; and into the Pod, past everything that lies between. Files are asked
/// for by the first of the two that answers.
async fn both(site: &Site<'_>, question: &Question<'_>) -> Vec<Road> {
    // Side by side: where nobody answers, both wait as long.
    let (outside, mut inside) = tokio::join!(question.by_proxy(site), question.inside(site, false));
    let is_answered = outside.answers.ok().is_some();
    if !is_answered && inside.answers.ok().is_some() {
        inside = question.inside(site, true).await;
    }
    let is_seen = inside.answers.ok().is_some();
    match (outside.reachable.ok(), inside.reachable.ok()) {
        // That one of them cannot be walked stands in nobody's way where the other one leads there.
        (None, Some(_)) => vec![inside],
        (_, None) => vec![outside],
        // That nobody answers there is a fact; the files were asked for by the other one.
        (Some(_), Some(_)) if is_seen && !is_answered => {
            vec![Road { answers: Known::Yes(Vec::new()), ..outside }, inside]
        }
        (Some(_), Some(_)) => vec![outside, inside],
    }
}

impl Question<'_> {
    async fn by_proxy(&self, site: &Site<'_>) -> Road {
        let kind = RoadKind::ServiceProxy;
        let service = match &self.facts.network.storage_service {
            Known::Yes(Some(service)) => service,
            Known::Yes(None) => {
                return blind(kind, Why::new(Obstacle::NoRoad, "no Service leads to the storage server"));
            }
            Known::No(why) => return blind(kind, why.clone()),
        };
        match Files::by_proxy(site.session, site.namespace, &service.name, service.port) {
            Ok(files) => self.road(&files, true).await,
            Err(error) => blind(kind, tell::why(&error)),
        }
    }

    async fn inside(&self, site: &Site<'_>, with_files: bool) -> Road {
        match road::forwarded(site).await {
            Ok(files) => self.road(&files, with_files).await,
            Err(failure) => blind(RoadKind::PortForward, failure.why()),
        }
    }

    /// `None` where no address is announced.
    async fn by_address(&self, site: &Site<'_>) -> Option<Road> {
        let base = self.artifacts.iter().find_map(|artifact| artifact.url.strip_suffix(&artifact.path))?;
        Some(match Files::by_address(site.session, base.trim_end_matches('/')) {
            Ok(files) => self.road(&files, true).await,
            Err(error) => blind(RoadKind::PortForward, tell::why(&error)),
        })
    }

    async fn road(&self, files: &Files, with_files: bool) -> Road {
        let road = |reachable, answers| Road { kind: files.kind, pod: files.pod.clone(), reachable, answers };
        let reach = files.reach().await;
        match &reach {
            Known::Yes(Reach::Yes) => {}
            Known::Yes(Reach::No(error)) => {
                let answers = Known::No(Why::new(Obstacle::NoRoad, error.clone()));
                return road(reach, answers);
            }
            Known::No(why) => {
                let answers = Known::No(why.clone());
                return road(reach, answers);
            }
        }
        if !with_files {
            return road(reach, Known::Yes(Vec::new()));
        }
        let mut answers: Vec<_> = stream::iter(&self.artifacts)
            .map(|artifact| self.look(files, artifact))
            .buffer_unordered(files.at_once)
            .collect()
            .await;
        if self.depth == Depth::Full {
            let rest = stream::iter(self.retained()).map(|path| async {
                let reply = files.head(&path).await;
                Answer { path, reply }
            });
            answers.extend(rest.buffer_unordered(files.at_once).collect::<Vec<_>>().await);
        }
        road(reach, Known::Yes(answers))
    }

    async fn look(&self, files: &Files, artifact: &Artifact) -> Answer {
        let reply: Reply = match self.depth {
            Depth::Full => files.read(&artifact.path, artifact.digest.as_deref(), &artifact.revision).await,
            Depth::Quick | Depth::Standard => files.head(&artifact.path).await,
        };
        Answer { path: artifact.path.clone(), reply }
    }

    /// Files that snippets retain besides what is announced.
    fn retained(&self) -> BTreeSet<String> {
        let snippets = self.facts.snippets.ok().map(|snippets| snippets.items.as_slice()).unwrap_or_default();
        let all = snippets
            .iter()
            .flat_map(|it| it.history.iter().filter_map(|entry| path_of(&it.namespace, &it.name, &entry.revision)));
        let mut paths: BTreeSet<_> = all.collect();
        for artifact in &self.artifacts {
            paths.remove(&artifact.path);
        }
        paths
    }
}

fn blind(kind: RoadKind, why: Why) -> Road {
    Road { kind, pod: None, reachable: Known::No(why.clone()), answers: Known::No(why) }
}
