//! What is known of single files of the store, by whatever road. Pure.

use std::collections::BTreeMap;

use super::ask;
use super::outcome::{Seen, Stop};
use crate::facts::{Artifact, Facts, FileClass, Reply};
use crate::finding::{Evidence, Finding};
use crate::known::{Known, Obstacle, Why};

/// What each road, and the listing of the store, says of each file.
pub(crate) struct Answers<'a> {
    replies: BTreeMap<&'a str, Vec<(&'a str, Reply)>>,
    /// Whether a file that is not listed is missing.
    listed_all: bool,
    /// Roads that could not be asked.
    blind: Vec<Why>,
}

/// What a reply says on one question.
pub(crate) enum Word {
    /// Something is wrong, and this is what was seen.
    Bad(String),
    /// It is as it should be.
    Good,
    /// Nothing, on this question.
    Silent,
}

/// What came of a question about current artifacts.
pub(crate) struct Judged<'a> {
    /// Artifacts of which some road says something bad, and what each of them says.
    pub(crate) bad: Vec<(&'a Artifact, Vec<String>)>,
    /// Artifacts of which no road says anything.
    pub(crate) open: Vec<&'a Artifact>,
    /// Whether any road said anything.
    pub(crate) heard: bool,
    /// Roads that could not be asked.
    pub(crate) blind: Vec<Why>,
}

impl<'a> Answers<'a> {
    /// Everything that is known.
    ///
    /// # Errors
    /// Nothing at all is known.
    pub(crate) fn of(facts: &'a Facts) -> Result<Self, Stop> {
        let mut replies: BTreeMap<&str, Vec<(&str, Reply)>> = BTreeMap::new();
        let (mut blind, mut asked) = (Vec::new(), false);
        for road in &facts.network.roads {
            match road.answers.told(&format!("files by the road {}", road.kind.word())) {
                Ok(answers) => {
                    asked = true;
                    for answer in answers {
                        replies.entry(&answer.path).or_default().push((road.kind.word(), answer.reply.clone()));
                    }
                }
                Err(why) => blind.push(why),
            }
        }
        let mut listed_all = false;
        match &facts.store.inventory {
            Known::Yes(inventory) => {
                listed_all = inventory.complete;
                asked |= listed_all;
                for file in inventory.files.iter().filter(|file| file.class == FileClass::Revision) {
                    replies.entry(&file.path).or_default().push(("listing", Reply::There(Some(file.bytes))));
                }
            }
            Known::No(_) if asked => {}
            Known::No(why) => {
                blind.push(Why::new(why.why, format!("the listing of the store {}", why.detail).trim_end()))
            }
        }
        if asked { Ok(Self { replies, listed_all, blind }) } else { Err(Stop::Unknown(blind)) }
    }

    /// What every road says of a file.
    pub(crate) fn about(&self, path: &str) -> Vec<(&'a str, Reply)> {
        let mut all = self.replies.get(path).cloned().unwrap_or_default();
        if self.listed_all && !all.iter().any(|(road, _)| *road == "listing") {
            all.push(("listing", Reply::Missing));
        }
        all
    }

    /// Roads that could not be asked.
    pub(crate) fn blind(&self) -> Vec<Why> {
        self.blind.clone()
    }
}

/// Asks `question` of every reply, and the road that it came by, about every current artifact that is ours.
///
/// # Errors
/// The artifacts, or all roads, are unknown.
pub(crate) fn judge<'a>(
    facts: &'a Facts,
    question: impl Fn(&str, &Artifact, &Reply) -> Word,
) -> Result<Judged<'a>, Stop> {
    let artifacts = ask::artifacts(facts)?;
    let ours: Vec<_> = artifacts.iter().filter(|artifact| artifact.ours && !artifact.path.is_empty()).collect();
    let mut judged = Judged { bad: Vec::new(), open: Vec::new(), heard: ours.is_empty(), blind: Vec::new() };
    if ours.is_empty() {
        return Ok(judged);
    }
    let answers = Answers::of(facts)?;
    judged.blind = answers.blind();
    for artifact in ours {
        let (mut bad, mut good) = (Vec::new(), false);
        for (road, reply) in answers.about(&artifact.path) {
            match question(road, artifact, &reply) {
                Word::Bad(seen) => bad.push(format!("{seen} by {road}")),
                Word::Good => good = true,
                Word::Silent => {}
            }
        }
        judged.heard |= good || !bad.is_empty();
        if !bad.is_empty() {
            bad.sort();
            bad.dedup();
            judged.bad.push((artifact, bad));
        } else if !good {
            judged.open.push(artifact);
        }
    }
    Ok(judged)
}

impl Judged<'_> {
    /// What is not known; `unanswered` says what of those artifacts of which no road says anything.
    pub(crate) fn blind(&self, unanswered: &str) -> Vec<Why> {
        let mut blind = self.blind.clone();
        if !self.open.is_empty() {
            let why = format!("{unanswered} of {}", count(self.open.len(), "current artifact"));
            blind.push(Why::new(Obstacle::NotAsked, why));
        }
        blind
    }

    /// The finding about what is bad; `unanswered` as above.
    pub(crate) fn seen(&self, unanswered: &str, finding: impl FnOnce(&[(&Artifact, Vec<String>)]) -> Finding) -> Seen {
        let seen = if self.bad.is_empty() { Seen::fine() } else { Seen::from(finding(&self.bad)) };
        seen.blind_to(self.blind(unanswered))
    }
}

/// What was seen of each file, and by which road.
pub(crate) fn evidence(bad: &[(&Artifact, Vec<String>)]) -> Evidence {
    Evidence::several("files", bad.iter().map(|(artifact, seen)| format!("{}: {}", artifact.path, seen.join(", "))))
}

/// A number and its word.
pub(crate) fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
