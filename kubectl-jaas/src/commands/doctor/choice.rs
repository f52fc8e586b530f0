//! What of a diagnosis was asked for. Pure.

use std::collections::BTreeSet;

use jaas_findings::Diagnosis;
use jaas_findings::finding::State;
use jaas_findings::{Area, Check, Code, Finding};

use crate::cli::Suppression;

/// What of a diagnosis was asked for.
pub(super) struct Choices<'a> {
    /// Areas; every one where empty.
    pub(super) areas: &'a [Area],
    /// Checks that are left out.
    pub(super) skip: &'a [Code],
    /// Findings that are known.
    pub(super) suppress: &'a [Suppression],
}

impl Choices<'_> {
    /// The rest. Other areas are gone; what was left out by its code is listed as skipped.
    pub(super) fn apply(&self, diagnosis: Diagnosis) -> Diagnosis {
        let Diagnosis { findings, checks } = diagnosis;
        let is_meant = |area: Area| self.areas.is_empty() || self.areas.contains(&area);
        let (mut findings, left_out): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .filter(|finding| is_meant(finding.area))
            .partition(|finding| !self.skip.contains(&finding.code) && !self.is_suppressed(finding));
        let here: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
        for finding in &mut findings {
            finding.causes.retain(|cause| here.contains(cause));
        }
        let suppressed: BTreeSet<_> = left_out.iter().map(|finding| finding.code).collect();
        let checks = checks.into_iter().filter(|check| is_meant(check.area)).map(|check| {
            if self.skip.contains(&check.code) {
                skipped(check, "--skip")
            } else if suppressed.contains(&check.code) {
                skipped(check, "--suppress")
            } else {
                check
            }
        });
        Diagnosis { checks: checks.collect(), findings }
    }

    /// Whether everything that the finding concerns is known. One that concerns anything else stays whole.
    fn is_suppressed(&self, finding: &Finding) -> bool {
        let known: BTreeSet<_> =
            self.suppress.iter().filter(|it| it.code == finding.code).map(|it| it.object.clone()).collect();
        !finding.subjects.is_empty() && finding.subjects.iter().all(|subject| known.contains(&subject.path()))
    }
}

fn skipped(check: Check, flag: &str) -> Check {
    Check { state: State::Skipped, why: vec![format!("left out by {flag}")], ..check }
}

#[cfg(test)]
mod tests {
    use jaas_findings::Subject;

    use super::*;

    fn diagnosis() -> Diagnosis {
        let finding = |code: Code, names: &[&str], causes: &[Code]| {
            let subjects = names.iter().map(|name| Subject::new("JsonnetSnippet", "a", name));
            let mut finding = Finding::new(code, "").about(subjects);
            finding.causes = causes.to_vec();
            finding
        };
        let findings = vec![
            finding(Code::VolumeFull, &["web"], &[Code::OutOfMemory]),
            finding(Code::OutOfMemory, &["pod"], &[]),
            finding(Code::ArtifactMissing, &["web", "api"], &[Code::VolumeFull]),
        ];
        let check = |it: &Finding| Check { code: it.code, area: it.area, state: State::Finding, why: Vec::new() };
        Diagnosis { checks: findings.iter().map(check).collect(), findings }
    }

    fn codes(diagnosis: &Diagnosis) -> Vec<Code> {
        diagnosis.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn areas_leave_nothing_of_others() {
        let rest = Choices { areas: &[Area::Storage], skip: &[], suppress: &[] }.apply(diagnosis());
        assert_eq!(codes(&rest), [Code::VolumeFull, Code::ArtifactMissing]);
        assert_eq!(rest.findings[0].causes, [], "its cause is not of this run");
        assert_eq!(rest.checks.len(), 2);
    }

    #[test]
    fn what_is_left_out_is_listed_as_skipped() {
        let rest = Choices { areas: &[], skip: &[Code::VolumeFull], suppress: &[] }.apply(diagnosis());
        assert_eq!(codes(&rest), [Code::OutOfMemory, Code::ArtifactMissing]);
        assert_eq!(
            (rest.checks[0].state, rest.checks[0].why.join("")),
            (State::Skipped, "left out by --skip".to_owned())
        );
    }

    #[test]
    fn only_a_finding_that_is_known_as_a_whole_is_suppressed() {
        let known = |code, object: &str| Suppression { code, object: object.to_owned() };
        let some = [known(Code::ArtifactMissing, "a/web"), known(Code::OutOfMemory, "a/web")];
        let rest = Choices { areas: &[], skip: &[], suppress: &some }.apply(diagnosis());
        assert_eq!(codes(&rest).len(), 3);
        let all = [known(Code::ArtifactMissing, "a/web"), known(Code::ArtifactMissing, "a/api")];
        let rest = Choices { areas: &[], skip: &[], suppress: &all }.apply(diagnosis());
        assert_eq!(codes(&rest), [Code::VolumeFull, Code::OutOfMemory]);
        assert_eq!(rest.checks[2].state, State::Skipped);
    }
}
