//! docs/operations.md and docs/grafana-dashboard.json: the metrics that they name are those that there are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use trellis_server::{Family, FamilyKind, Metrics};

const BEFORE: &str = "| metric | type | labels | what it is |\n|---|---|---|---|\n";
const AFTER: &str = "<!-- end of the table -->";

fn page(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(name)
}

fn families() -> Vec<Family> {
    Metrics::new("1.2.3").families().to_vec()
}

fn table() -> String {
    let mut rows = String::new();
    for family in families() {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (&family.name, family.kind.name());
        let _ = writeln!(
            rows,
            "| `{name}` | {kind} | {} | {} |",
            labels.join(", "),
            family.help
        );
    }
    rows
}

#[test]
fn the_table_has_every_metric() {
    let path = page("operations.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEFORE).expect("the head of the table");
    let (written, tail) = rest.split_once(AFTER).expect("the end of the table");
    let table = table();
    if std::env::var_os("TRELLIS_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{BEFORE}{table}{AFTER}{tail}")).unwrap();
        return;
    }
    assert!(
        written == table,
        "docs/operations.md is not current: run `TRELLIS_WRITE_DOCS=1 cargo test -p trellis-server --test it operations`"
    );
}

/// What is said outside of the table, such as of alerts.
#[test]
fn every_metric_that_the_page_names_exists() {
    let text = std::fs::read_to_string(page("operations.md")).unwrap();
    let named: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(metrics_in)
        .collect();
    assert!(named.len() > families().len(), "nothing was looked at");
    for metrics in named {
        for metric in metrics {
            family_of(&metric).unwrap_or_else(|| panic!("`{metric}` is not a metric"));
        }
    }
}

/// Prometheus adds `instance`; `le` is the bound of a histogram's bucket.
const ADDED_LABELS: [&str; 2] = ["instance", "le"];

#[test]
fn the_dashboard_names_only_metrics_and_labels_that_exist() {
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(page("grafana-dashboard.json")).unwrap()).unwrap();
    let mut used = BTreeSet::new();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = |of: &str| target[of].as_str().unwrap().to_owned();
            queries.push((text("expr"), text("legendFormat")));
        }
    }
    assert!(queries.len() > 30, "{}", queries.len());
    for (query, legend) in queries {
        let metrics = metrics_in(&query).unwrap_or_else(|| panic!("{query} looks at nothing"));
        let mut labels: BTreeSet<String> = ADDED_LABELS.map(str::to_owned).into();
        for metric in metrics {
            let family = family_of(&metric).unwrap_or_else(|| panic!("`{metric}` is not a metric: {query}"));
            labels.extend(family.labels);
            used.insert(family.name);
        }
        for label in labels_in(&query).into_iter().chain(placeholders(&legend)) {
            assert!(
                labels.contains(&label),
                "`{label}` is not a label: {query} {legend}"
            );
        }
    }
    let left_out: Vec<_> = families()
        .into_iter()
        .map(|family| family.name)
        .filter(|name| !used.contains(name) && name != "process_virtual_memory_bytes")
        .filter(|name| name != "trellis_worker_dropped_log_lines_total")
        .collect();
    assert!(left_out.is_empty(), "the dashboard does not show {left_out:?}");
}

#[test]
fn the_panels_lie_beside_each_other() {
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(page("grafana-dashboard.json")).unwrap()).unwrap();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["id"]);
        assert!(!panel["title"].as_str().unwrap().is_empty());
        let of = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in of("x")..of("x") + of("w") {
            assert!(x < 24, "{panel}");
            for y in of("y")..of("y") + of("h") {
                assert!(taken.insert((x, y)), "{panel}");
            }
        }
    }
}

/// The family of a metric; a histogram has three metrics.
fn family_of(metric: &str) -> Option<Family> {
    families().into_iter().find(|family| match family.kind {
        FamilyKind::Counter | FamilyKind::Gauge => family.name == metric,
        FamilyKind::Histogram => ["", "_bucket", "_sum", "_count"]
            .iter()
            .any(|part| metric.strip_suffix(part) == Some(family.name.as_str())),
    })
}

/// The metrics in a query. `None`: there are none.
fn metrics_in(query: &str) -> Option<Vec<String>> {
    let words = query.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
    let metrics: Vec<_> = words
        .filter(|word| {
            ["trellis_", "process_"]
                .iter()
                .any(|start| word.starts_with(start))
        })
        .map(str::to_owned)
        .collect();
    (!metrics.is_empty()).then_some(metrics)
}

/// The labels in a query: those that are matched, and those after `by`.
fn labels_in(query: &str) -> Vec<String> {
    let inside = |open: &str, close: char| -> Vec<String> {
        let parts = query.split(open).skip(1);
        parts
            .filter_map(|part| Some(part.split_once(close)?.0.to_owned()))
            .collect()
    };
    let grouped = inside("by (", ')');
    let grouped = grouped.iter().flat_map(|labels| labels.split(','));
    let matched = inside("{", '}');
    let matched = matched.iter().flat_map(|labels| labels.split(','));
    let matched = matched.filter_map(|label| label.split(['=', '~', '!']).next());
    grouped
        .chain(matched)
        .map(|label| label.trim().to_owned())
        .collect()
}

/// The labels in a legend such as `{{state}}`.
fn placeholders(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    parts
        .filter_map(|part| Some(part.split_once("}}")?.0.to_owned()))
        .collect()
}

#[test]
fn names_are_found_in_queries() {
    let query =
        r#"sum by (le, route) (rate(trellis_x_bucket{instance=~"$instance",state!="a"}[5m])) / process_y"#;
    assert_eq!(metrics_in(query).unwrap(), ["trellis_x_bucket", "process_y"]);
    assert_eq!(labels_in(query), ["le", "route", "instance", "state"]);
    assert_eq!(placeholders("{{worker}} of {{gpu}}"), ["worker", "gpu"]);
    assert!(family_of("trellis_stage_duration_seconds_sum").is_some());
    assert!(family_of("trellis_jobs_sum").is_none());
}
