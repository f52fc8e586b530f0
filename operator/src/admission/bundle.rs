//! The authorities in a webhook's configuration. Pure.
//!
//! Ours are exactly those of the Secret. Those of others stay until they expire: during an upgrade Pods of the Go implementation answer
//! beside ours, each with an authority of its own.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::{is_ours, span};

/// Authorities of others that are kept at most; the Go implementation adds one with each start, and an object has a limit.
const OTHERS: usize = 16;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The list that is to be trusted: ours, and of what is there now what belongs to others and has not expired.
pub fn merge(current: &str, ours: &str, now: Timestamp) -> String {
    let ours = blocks(ours);
    let mut others: Vec<String> = Vec::new();
    for block in blocks(current) {
        if !ours.contains(&block) && !others.contains(&block) && stays(&block, now) {
            others.push(block);
        }
    }
    // The last ones were added last.
    let surplus = others.len().saturating_sub(OTHERS);
    ours.into_iter().chain(others.into_iter().skip(surplus)).collect()
}

/// Whether a block that is not ours any more is kept. What cannot be read harms nobody.
fn stays(block: &str, now: Timestamp) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_slice(block.as_bytes()) else { return true };
    !is_ours(&certificate) && span(&certificate).map_or(true, |(_, expires)| now < expires)
}

/// The PEM blocks of certificates, each with its line end. Text between them is nothing.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let Some((inner, after)) = begun.split_once(END) else { break };
        found.push(format!("{BEGIN}{inner}{END}\n"));
        rest = after;
    }
    found
}

/// The first authority of a list.
pub fn first(list: &str) -> String {
    blocks(list).into_iter().next().unwrap_or_default()
}

/// The authorities to trust while one certificate follows another: the new one's, and those that vouch for the one before.
pub fn follow(new: &str, before: &str, now: Timestamp) -> String {
    let mut all = blocks(new);
    for block in blocks(before) {
        let expires = CertificateDer::from_pem_slice(block.as_bytes()).ok().and_then(|it| span(&it).ok());
        if !all.contains(&block) && expires.is_some_and(|(_, expires)| now < expires) {
            all.push(block);
        }
    }
    all.concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::super::certificate::Material;
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn ours() -> String {
        Material::make(&["a.b.svc".to_owned()], Duration::from_secs(3600), now()).unwrap().authorities
    }

    fn of_others(year: i32) -> String {
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        blocks(&params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).concat()
    }

    #[test]
    fn ours_are_replaced_and_those_of_others_stay_until_they_expire() {
        let (old, new) = (ours(), ours());
        let (good, expired) = (of_others(2100), of_others(2001));
        let unreadable = format!("{BEGIN}\nAAAA\n{END}\n");
        let current = format!("comment\n{old}{good}{expired}{unreadable}{good}");
        let merged = merge(&current, &new, now());
        assert_eq!(merged, format!("{}{good}{unreadable}", blocks(&new).concat()));
        assert_eq!(merge(&merged, &new, now()), merged, "what is right is not changed");
    }

    #[test]
    fn the_list_does_not_grow_without_end() {
        let many: Vec<_> = (0..OTHERS + 3).map(|_| of_others(2100)).collect();
        let merged = merge(&many.concat(), &ours(), now());
        assert_eq!(blocks(&merged).len(), OTHERS + 1);
        assert!(merged.ends_with(many.last().unwrap().as_str()));
    }

    #[test]
    fn the_one_before_is_trusted_until_it_expires() {
        let (old, new) = (ours(), ours());
        assert_eq!(blocks(&follow(&new, &old, now())).len(), 2);
        let later = now() + Duration::from_secs(3601);
        assert_eq!(blocks(&follow(&new, &old, later)).len(), 1);
        assert_eq!(follow(&new, "nothing", now()), blocks(&new).concat());
    }
}
