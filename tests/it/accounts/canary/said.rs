//! Everything that anybody says in this process, at TRACE: log lines, spans, metrics, panics, and what a test
//! prints.

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, OnceLock, PoisonError},
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, SharedString, Unit};

/// Everything that anybody says in this process.
static SAID: Mutex<String> = Mutex::new(String::new());

pub(super) fn said(line: &dyn std::fmt::Display) {
    let mut all = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = writeln!(all, "{line}");
}

pub(super) fn show(what: &dyn Debug) {
    said(&format!("{what:?} {what:#?}"));
}

pub(super) fn shown<T: Debug>(result: automarket::Result<T>) -> Option<T> {
    show(&result);
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            said(&format!("{error} {} {error:?}", error.report()));
            let record = automarket::core::ErrorRecord::from(&error);
            said(&serde_json::to_string(&record).unwrap());
            None
        }
    }
}

struct Ear;

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }
}

impl tracing::Subscriber for Ear {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut fields = Fields(format!("span {}", span.metadata().name()));
        span.record(&mut fields);
        said(&fields.0);
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        said(&fields.0);
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(format!("{}:", event.metadata().target()));
        event.record(&mut fields);
        said(&fields.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        said(&format!("{}: {}", record.target(), record.args()));
    }
    fn flush(&self) {}
}

impl metrics::Recorder for Ear {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> Counter {
        said(&format!("metric {key}"));
        Counter::noop()
    }
    fn register_gauge(&self, key: &Key, _: &metrics::Metadata<'_>) -> Gauge {
        said(&format!("metric {key}"));
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &metrics::Metadata<'_>) -> Histogram {
        said(&format!("metric {key}"));
        Histogram::noop()
    }
}

pub(super) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing::subscriber::set_global_default(Ear).unwrap();
        log::set_logger(&Ear).unwrap();
        metrics::set_global_recorder(Ear).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        std::panic::set_hook(Box::new(|panic| {
            said(panic);
            eprintln!("{panic}");
        }));
    });
}

pub(super) fn heard() -> String {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
