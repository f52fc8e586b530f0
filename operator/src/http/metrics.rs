//! Metrics: `/metrics`.

use http::StatusCode;
use warp::Filter;
use warp::reply::Reply;

use crate::telemetry::metrics::Metrics;

/// Media type of the OpenMetrics text format.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route.
pub fn routes(metrics: Metrics) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
    warp::path!("metrics").and(warp::get()).map(move || match metrics.encode() {
        Ok(text) => warp::reply::with_header(text, http::header::CONTENT_TYPE, MEDIA_TYPE).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
