//! The path of a request.

use std::convert::Infallible;

use warp::Filter;
use warp::path::FullPath;

/// The path as it was sent. warp's own filter panics where a request names a host and no path, as a CONNECT does.
pub fn sent() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    let none = warp::path::end().map(|| "/".to_owned());
    none.or(warp::path::full().map(|path: FullPath| path.as_str().to_owned())).unify()
}
