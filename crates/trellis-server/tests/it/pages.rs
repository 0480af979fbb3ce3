//! The pages for people.

use axum::body::Body;
use axum::http::{Method, header};
use trellis_backend::Readiness;
use trellis_core::{Failure, FailureKind};

use crate::kit::{Kit, Wishes, request};

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let kit = Kit::new();
    for path in ["/", "/docs"] {
        let page = kit.get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.header(header::CONTENT_TYPE)),
            (200, "text/html; charset=utf-8")
        );
        assert!(
            page.header(header::CONTENT_SECURITY_POLICY)
                .starts_with("default-src 'none'")
        );
        let text = page.text();
        for attribute in ["src=", "href="] {
            for rest in text.split(attribute).skip(1) {
                let target = rest.trim_start_matches('"');
                assert!(
                    !target.starts_with("http") && !target.starts_with("//"),
                    "{path}: {rest:.60}"
                );
            }
        }
        assert!(!text.contains("<script"));
    }
    let style = kit.get("/docs/style.css").await;
    assert_eq!(style.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_landing_page_has_a_command_for_where_the_client_is() {
    let kit = Kit::new();
    for (host, shown) in [
        ("studio:8000", "http://studio:8000/v1/jobs"),
        ("\"><b>", "http://127.0.0.1:8000/v1/jobs"),
    ] {
        let page = kit
            .send(
                request(Method::GET, "/")
                    .header(header::HOST, host)
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert!(
            page.text()
                .contains(&format!("-F image=@photo.png {shown} &amp;&amp;")),
            "{}",
            page.text()
        );
    }
}

#[tokio::test]
async fn the_landing_page_lists_the_backends() {
    let kit = Kit::with(Wishes {
        readiness: vec![|| Readiness::Ready, || Readiness::Unavailable {
            failure: Failure::new(FailureKind::DriverMissing, "no <GPU> is here"),
        }],
        ..Wishes::default()
    });
    let page = kit.get("/").await.text();
    assert!(page.contains("<td>ready<td>glb, stl"), "{page}");
    assert!(
        page.contains("<td>not available: no &lt;GPU&gt; is here; "),
        "{page}"
    );
    assert_eq!(page.matches("<b>paper</b>").count(), 2, "{page}");
    assert!(!page.contains('{'), "a placeholder is left: {page}");
}

#[tokio::test]
async fn the_reference_shows_every_operation_and_every_shape() {
    let page = Kit::new().get("/docs").await.text();
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(
                page.contains(&format!(
                    "<details id=\"{id}\"><summary><b>{}</b> <code>{path}</code>",
                    method.to_uppercase()
                )),
                "{id}"
            );
        }
    }
    for shape in contract["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"shape-{shape}\"")), "{shape}");
    }
    let links = page
        .split("href=\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
    }
}
