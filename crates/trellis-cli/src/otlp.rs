//! Spans of requests and attempts for a collector of OpenTelemetry, by OTLP over HTTP.
//!
//! Configured by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` and the
//! rest, which the SDK reads); without an endpoint nothing is exported. A span whose request came with a `traceparent` is a
//! child of that. Names and attributes follow OpenTelemetry's conventions for HTTP servers; paths, queries and keys are in
//! none of them.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as Around;
use tracing_subscriber::registry::LookupSpan;
use trellis_core::TraceParent;

use crate::env::{self, Environment};

/// What the spans say of their service where `OTEL_SERVICE_NAME` says nothing.
const SERVICE: &str = "trellis-server";
/// How long the last spans may take to be sent.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// The running export.
pub(crate) struct Export(SdkTracerProvider);

impl Export {
    /// Begins where the environment names a collector; the layer sees the spans.
    pub(crate) fn start(environment: &Environment) -> Result<Option<(Self, Spans)>, String> {
        if !environment.wants_spans() {
            return Ok(None);
        }
        let client = Client::new().map_err(|error| error.to_string())?;
        let exporter = SpanExporter::builder().with_http().with_http_client(client);
        let exporter = exporter.build().map_err(|error| error.to_string())?;
        let mut resource = Resource::builder();
        if environment.get(env::OTEL_SERVICE_NAME).is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer(SERVICE);
        Ok(Some((Self(provider), Spans(tracer))))
    }

    /// Sends what is left.
    pub(crate) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_SPANS) {
            warn!(%error, "the last spans were not exported");
        }
    }
}

/// Sends with the HTTP client that the program has anyway. The SDK calls it on a thread of its own.
struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    fn new() -> Result<Self, HttpError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(10))
                .build()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.block_on(async {
            let answer = self.http.execute(request.try_into()?).await?;
            let status = answer.status();
            let mut response = Response::new(answer.bytes().await?);
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

/// Makes a span of OpenTelemetry of each request and each attempt, when it has ended.
pub(crate) struct Spans(SdkTracer);

/// What becomes a span.
struct Recorded {
    began: SystemTime,
    fields: Vec<(&'static str, Value)>,
    failed: bool,
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, around: Around<'_, S>) {
        let Some(span) = around.span(id).filter(|span| is_exported(span.name())) else {
            return;
        };
        let mut recorded = Recorded {
            began: SystemTime::now(),
            fields: Vec::new(),
            failed: false,
        };
        attributes.record(&mut Fields(&mut recorded.fields));
        span.extensions_mut().insert(recorded);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, around: Around<'_, S>) {
        if let Some(span) = around.span(id)
            && let Some(recorded) = span.extensions_mut().get_mut::<Recorded>()
        {
            values.record(&mut Fields(&mut recorded.fields));
        }
    }

    /// The line about an answer is the span's own end; an error in it is the span's failure.
    fn on_event(&self, event: &Event<'_>, around: Around<'_, S>) {
        let Some(span) = around.event_span(event) else {
            return;
        };
        if let Some(recorded) = span.extensions_mut().get_mut::<Recorded>() {
            recorded.failed |= *event.metadata().level() == Level::ERROR;
            if event.metadata().target() == "requests" {
                event.record(&mut Fields(&mut recorded.fields));
            }
        }
    }

    fn on_close(&self, id: Id, around: Around<'_, S>) {
        let Some(span) = around.span(&id) else {
            return;
        };
        if let Some(recorded) = span.extensions_mut().remove::<Recorded>() {
            recorded.export(&self.0, span.name());
        }
    }
}

fn is_exported(name: &str) -> bool {
    ["request", "attempt"].contains(&name)
}

impl Recorded {
    fn export(self, tracer: &SdkTracer, name: &'static str) {
        let text = |name: &str| self.fields.iter().find(|(field, _)| *field == name);
        let text = |name: &str| text(name).map_or(String::new(), |(_, value)| value.to_string());
        let (name, kind) = match name {
            "request" => (format!("{} {}", text("method"), text("route")), SpanKind::Server),
            name => (name.to_owned(), SpanKind::Internal),
        };
        let parent = text("traceparent").parse::<TraceParent>().ok();
        let attributes = self.fields.iter().filter_map(|(field, value)| {
            let key = attribute(field)?;
            Some(KeyValue::new(key, value.clone()))
        });
        let mut span = tracer
            .span_builder(name)
            .with_kind(kind)
            .with_start_time(self.began)
            .with_attributes(attributes)
            .start_with_context(tracer, &remote(parent));
        if self.failed {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// The attribute for a field, if it is one.
fn attribute(field: &str) -> Option<&'static str> {
    Some(match field {
        "method" => "http.request.method",
        "route" => "http.route",
        "status" => "http.response.status_code",
        "bytes" => "http.response.body.size",
        "client" => "client.address",
        "request" => "trellis.request_id",
        "key" => "trellis.key",
        "job" => "trellis.job",
        "attempt" => "trellis.attempt",
        "cut_short" => "trellis.cut_short",
        _ => return None,
    })
}

/// The step that asked, in whatever process it was.
fn remote(parent: Option<TraceParent>) -> Context {
    let context = Context::new();
    let Some(parent) = parent else {
        return context;
    };
    let flags = if parent.is_sampled() {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    context.with_remote_span_context(SpanContext::new(
        parent.trace().into(),
        parent.parent().into(),
        flags,
        true,
        TraceState::default(),
    ))
}

/// Takes fields as they are recorded.
struct Fields<'a>(&'a mut Vec<(&'static str, Value)>);

impl Fields<'_> {
    fn take(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Fields<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}
