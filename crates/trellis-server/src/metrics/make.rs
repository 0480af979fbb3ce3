//! Makes figures, registers them and keeps what is said of each, for the documents.

use std::cell::RefCell;

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// What the values of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    /// Grows only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many values lie below each bound, with their sum and number.
    Histogram,
}

impl FamilyKind {
    /// As Prometheus names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Values of one name, told apart by their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: FamilyKind,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// What it measures.
    pub help: String,
}

/// Makes and registers figures.
#[derive(Default)]
pub(super) struct Make {
    pub(super) registry: Registry,
    pub(super) families: RefCell<Vec<Family>>,
}

impl Make {
    fn register<T: Collector + Clone + 'static>(&self, kind: FamilyKind, made: prometheus::Result<T>) -> T {
        let made = made.expect("names and labels are well formed: a test makes all");
        let families = made.desc().into_iter().map(|described| Family {
            name: described.fq_name.clone(),
            kind,
            labels: described.variable_labels.clone(),
            help: described.help.clone(),
        });
        self.families.borrow_mut().extend(families);
        let registered = self.registry.register(Box::new(made.clone()));
        registered.expect("no name stands twice: a test makes all");
        made
    }

    pub(super) fn counter(&self, name: &str, about: &str) -> IntCounter {
        self.register(FamilyKind::Counter, IntCounter::new(name, about))
    }

    /// A counter of what is not whole.
    pub(super) fn real_counter(&self, name: &str, about: &str) -> Counter {
        self.register(FamilyKind::Counter, Counter::new(name, about))
    }

    pub(super) fn counters(&self, name: &str, about: &str, labels: &[&str]) -> IntCounterVec {
        self.register(
            FamilyKind::Counter,
            IntCounterVec::new(Opts::new(name, about), labels),
        )
    }

    pub(super) fn gauge(&self, name: &str, about: &str) -> IntGauge {
        self.register(FamilyKind::Gauge, IntGauge::new(name, about))
    }

    pub(super) fn real_gauge(&self, name: &str, about: &str) -> Gauge {
        self.register(FamilyKind::Gauge, Gauge::new(name, about))
    }

    pub(super) fn gauges(&self, name: &str, about: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(
            FamilyKind::Gauge,
            IntGaugeVec::new(Opts::new(name, about), labels),
        )
    }

    pub(super) fn real_gauges(&self, name: &str, about: &str, labels: &[&str]) -> GaugeVec {
        self.register(FamilyKind::Gauge, GaugeVec::new(Opts::new(name, about), labels))
    }

    pub(super) fn histogram(&self, name: &str, about: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, about).buckets(buckets.to_vec());
        self.register(FamilyKind::Histogram, Histogram::with_opts(options))
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        about: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, about).buckets(buckets.to_vec());
        self.register(FamilyKind::Histogram, HistogramVec::new(options, labels))
    }
}
