//! The log: one record a line, with the keys that the Go implementation's users filter by: `time`, `level`, `msg`.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::Log;

/// Starts the log of the process, and what else is to hear of spans.
pub fn start(settings: Log, spans: Option<Box<dyn Layer<Registry> + Send + Sync>>) {
    // The client reports failed requests itself, at ERROR and without the object; whoever asked reports them with it.
    let filter = EnvFilter::new(format!("{},kube_client::client::builder=off,kube_runtime=warn", settings.level));
    // Spans are not logged, so that one costs nothing where nobody else hears of it.
    let events = filter.and(filter_fn(|metadata| metadata.is_event()));
    let log = tracing_subscriber::fmt::layer().event_format(Format { json: settings.json }).with_filter(events);
    // A second start in one process, as tests do it, keeps the first log.
    let _ = tracing_subscriber::registry().with(spans).with(log).try_init();
}

struct Format {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = jiff::Timestamp::now();
        let level = event.metadata().level();
        if self.json {
            let mut record = Map::new();
            record.insert("time".to_owned(), time.to_string().into());
            record.insert("level".to_owned(), level.as_str().into());
            record.insert("msg".to_owned(), fields.message.into());
            record.extend(fields.others);
            return writeln!(writer, "{}", Value::Object(record));
        }
        write!(writer, "time={time} level={level} msg={:?}", fields.message)?;
        for (key, value) in fields.others {
            write!(writer, " {key}={value}")?;
        }
        writeln!(writer)
    }
}

/// The message of a record apart from its other fields.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.set(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.set(field, value.into());
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
}
