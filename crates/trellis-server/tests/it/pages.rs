//! The pages for people.

use axum::body::Body;
use axum::http::{Method, header};

use crate::kit::{Kit, Wishes, request};

/// The addresses that a page names.
fn addresses(page: &str) -> Vec<&str> {
    let attributes = ["src=\"", "href=\""].into_iter();
    attributes
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let kit = Kit::new();
    for path in ["/", "/docs"] {
        let page = kit.get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.header(header::CONTENT_TYPE)),
            (200, "text/html; charset=utf-8")
        );
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = page.text();
        for address in addresses(&text) {
            assert!(
                !address.contains("://") && !address.starts_with("//"),
                "{path}: {address}"
            );
        }
        assert!(!text.contains("<style") && !text.contains(" style="));
        // Whatever script there is stands in a file of its own.
        assert_eq!(
            text.matches("<script").count(),
            text.matches("\"></script>").count()
        );
    }
    let style = kit.get("/docs/style.css").await;
    assert_eq!(style.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_page_is_asked_for_each_time_and_its_files_once() {
    let kit = Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio"),
        ..Wishes::default()
    });
    let page = kit.get("/").await;
    assert_eq!(page.header(header::CACHE_CONTROL), "no-cache");
    let text = page.text();
    let files: Vec<_> = addresses(&text)
        .into_iter()
        .filter(|address| address.starts_with("ui/"))
        .collect();
    assert!(!files.is_empty(), "{text}");
    for path in std::iter::once("/".to_owned()).chain(files.iter().map(|file| format!("/{file}"))) {
        let file = kit.get(&path).await;
        assert_eq!(file.status, 200, "{path}");
        if path != "/" {
            assert_eq!(
                file.header(header::CACHE_CONTROL),
                "public, max-age=31536000, immutable"
            );
        }
        assert_eq!(file.header(header::VARY), "accept-encoding");
        let etag = file.header(header::ETAG);
        let again = request(Method::GET, &path).header(header::IF_NONE_MATCH, etag);
        let again = kit.send(again.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header(header::ETAG), etag);
    }
}

/// The page reads the contract before anything can be made.
#[tokio::test]
async fn the_contract_is_sent_compressed_and_once() {
    let kit = Kit::new();
    for path in ["/openapi.json", "/docs"] {
        let whole = kit.get(path).await;
        let ask = || request(Method::GET, path).header(header::ACCEPT_ENCODING, "gzip, br");
        let small = kit.send(ask().body(Body::empty()).unwrap()).await;
        assert_eq!(small.header(header::CONTENT_ENCODING), "gzip");
        assert!(
            small.body.len() * 4 < whole.body.len(),
            "{path}: {}",
            small.body.len()
        );
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*small.body), &mut text).unwrap();
        assert!(text == whole.body, "{path}");
        let again = ask().header(header::IF_NONE_MATCH, small.header(header::ETAG));
        assert_eq!(kit.send(again.body(Body::empty()).unwrap()).await.status, 304);
    }
}

#[tokio::test]
async fn no_file_outside_the_page_is_served() {
    let kit = Kit::new();
    for path in [
        "/ui/",
        "/ui/none.js",
        "/ui/index.html",
        "/ui/..%2Findex.html",
        "/ui/../Cargo.toml",
        "/ui/%2e%2e%2fui.rs",
    ] {
        kit.get(path).await.assert_problem(404, "route_not_found");
    }
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
