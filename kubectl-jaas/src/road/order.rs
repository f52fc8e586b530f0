//! Which roads are tried for what, and in which order. Pure.

use super::failure::Failure;
use super::{Need, cannot};
use crate::cli::{RoadArgs, Route};

/// One step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A road to try.
    Try(Route),
    /// A road that is known to lead nowhere.
    Cannot(Failure),
}

/// What to try for `need`, where there is a bucket that whoever runs this has keys for. A road that was asked for by name is the only one.
pub(super) fn steps(args: &RoadArgs, need: Need, has_bucket: bool) -> Vec<Step> {
    let judge = |route: Route| match can(route, need) {
        true => Step::Try(route),
        false => Step::Cannot(cannot(route.word(), need)),
    };
    match args.route {
        Route::Auto if args.path.is_some() => vec![judge(Route::Path)],
        Route::Auto => {
            let all = [Route::Admin, Route::PortForward, Route::ServiceProxy, Route::S3];
            let is_there = |route: &Route| *route != Route::S3 || has_bucket;
            all.into_iter().filter(|route| can(*route, need) && is_there(route)).map(Step::Try).collect()
        }
        route => vec![judge(route)],
    }
}

/// Whether a road can do what is needed.
fn can(route: Route, need: Need) -> bool {
    match route {
        Route::Auto => true,
        Route::Admin => need != Need::Bytes,
        Route::PortForward | Route::ServiceProxy | Route::Direct => matches!(need, Need::Verify | Need::Bytes),
        Route::S3 | Route::Path => need != Need::Act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(route: Route) -> RoadArgs {
        RoadArgs { route, ..RoadArgs::default() }
    }

    fn tried(args: &RoadArgs, need: Need, has_bucket: bool) -> Vec<Route> {
        let steps = steps(args, need, has_bucket).into_iter();
        steps.filter_map(|step| if let Step::Try(route) = step { Some(route) } else { None }).collect()
    }

    #[test]
    fn the_endpoint_comes_first_and_a_bucket_last() {
        let auto = args(Route::Auto);
        assert_eq!(tried(&auto, Need::List, false), [Route::Admin]);
        assert_eq!(tried(&auto, Need::List, true), [Route::Admin, Route::S3]);
        assert_eq!(
            tried(&auto, Need::Verify, true),
            [Route::Admin, Route::PortForward, Route::ServiceProxy, Route::S3]
        );
        assert_eq!(tried(&auto, Need::Bytes, false), [Route::PortForward, Route::ServiceProxy]);
        assert_eq!(tried(&auto, Need::Act, true), [Route::Admin]);
    }

    #[test]
    fn a_road_by_name_is_the_only_one_and_says_what_it_cannot_do() {
        assert_eq!(tried(&args(Route::Direct), Need::Bytes, false), [Route::Direct]);
        for (route, need) in [
            (Route::ServiceProxy, Need::List),
            (Route::S3, Need::Act),
            (Route::Path, Need::Act),
            (Route::Admin, Need::Bytes),
        ] {
            let steps = steps(&args(route), need, false);
            let [Step::Cannot(failure)] = steps.as_slice() else { panic!("{route:?} {need:?}: {steps:?}") };
            assert!(!failure.how.is_empty(), "{failure:?}");
        }
        let mounted = RoadArgs { path: Some("/mnt".into()), ..RoadArgs::default() };
        assert_eq!(tried(&mounted, Need::List, true), [Route::Path]);
    }
}
