//! Which class of error fits which fault, and what excuses an answer that is not the truth. Pure.

use jaas_storage::store::ErrorKind;
use jaas_tests::s3::faults::{Call, Fault, Met};

/// Whether an error of this kind is a true word on one of these faults.
pub(super) fn fits(kind: ErrorKind, met: &[Met]) -> bool {
    met.iter().any(|met| kinds(met).contains(&kind))
}

/// What may be said of a fault.
fn kinds(met: &Met) -> Vec<ErrorKind> {
    let listing = matches!(met.asked.call, Call::List | Call::Uploads);
    match &met.fault {
        Fault::None | Fault::WrongMetadata | Fault::WrongDate | Fault::LateList => vec![],
        Fault::LoseAnswer | Fault::LoseRequest | Fault::Reset | Fault::Garbage | Fault::Twice | Fault::CutBody(_) => {
            vec![ErrorKind::Unreachable, ErrorKind::Unavailable]
        }
        Fault::Stall | Fault::Late(_) | Fault::StallBody(_) | Fault::Drip => vec![ErrorKind::TimedOut],
        Fault::Elsewhere(_) if met.asked.call == Call::Head => vec![ErrorKind::WrongRegion, ErrorKind::Unavailable],
        Fault::Elsewhere(_) => vec![ErrorKind::WrongRegion],
        Fault::Refuse(status, code) => of_refusal(*status, code, met.asked.call),
        // A condition on a wrong ETag does not hold, and then the object seems to change all the time.
        Fault::WrongEtag => vec![ErrorKind::Unavailable],
        Fault::CorruptRequest => vec![ErrorKind::Unavailable],
        Fault::CorruptBody | Fault::ShortBody(_) if !listing => vec![ErrorKind::Corrupt, ErrorKind::Unavailable],
        Fault::CorruptBody
        | Fault::ShortBody(_)
        | Fault::Portal
        | Fault::Empty
        | Fault::WholeBody
        | Fault::NoEtag
        | Fault::CircularList
        | Fault::CutList
        | Fault::DoubleList
        | Fault::EmptyPage
        | Fault::VagueList => vec![ErrorKind::Corrupt, ErrorKind::Unavailable],
    }
}

fn of_refusal(status: u16, code: &str, call: Call) -> Vec<ErrorKind> {
    let by_status = match status {
        301 | 307 => ErrorKind::WrongRegion,
        403 => ErrorKind::Denied,
        503 | 429 => ErrorKind::Throttled,
        504 => ErrorKind::TimedOut,
        507 => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    let by_code = match code {
        "ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" => ErrorKind::CredentialsRejected,
        "RequestTimeTooSkewed" => ErrorKind::ClockSkew,
        "QuotaExceeded" => ErrorKind::QuotaReached,
        "NoSuchBucket" => ErrorKind::BucketMissing,
        "RequestTimeout" => ErrorKind::TimedOut,
        _ => by_status,
    };
    // A refused HEAD has no code; only what is asked after it may have one.
    if call == Call::Head { vec![by_status, by_code] } else { vec![by_code] }
}

/// Whether the fault breaks the connection, which another request may be on.
pub(super) fn breaks_connection(met: &Met) -> bool {
    matches!(
        met.fault,
        Fault::LoseAnswer | Fault::LoseRequest | Fault::Reset | Fault::Garbage | Fault::Twice | Fault::CutBody(_)
    )
}

/// Whether the service itself said that what is there is missing.
pub(super) fn denies_existence(met: &Met) -> bool {
    met.fault == Fault::Refuse(404, "NoSuchKey") && met.asked.call != Call::Head
}

/// Whether whole bytes came that were not those of the object.
pub(super) fn brings_other_bytes(met: &Met) -> bool {
    let whole = matches!(met.fault, Fault::CorruptBody | Fault::ShortBody(_) | Fault::Portal | Fault::WholeBody);
    whole && met.asked.call == Call::Get
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use jaas_tests::s3::faults::Asked;

    use super::*;

    #[test]
    fn a_kind_fits_only_its_own_faults() {
        let met = |call: Call, fault: Fault| {
            let (client, region, path) = (String::new(), String::new(), String::new());
            let asked = Asked { client, day: String::new(), region, call, path, nth: 0, presigned: false };
            [Met { at: Instant::now(), asked, fault }]
        };
        let denied = Fault::Refuse(403, "InvalidAccessKeyId");
        assert!(fits(ErrorKind::CredentialsRejected, &met(Call::Get, denied.clone())));
        assert!(!fits(ErrorKind::Denied, &met(Call::Get, denied.clone())));
        assert!(fits(ErrorKind::Denied, &met(Call::Head, denied)));
        assert!(!fits(ErrorKind::Unreachable, &met(Call::Get, Fault::Stall)));
        assert!(!fits(ErrorKind::Unavailable, &[]));
    }
}
