//! The reference page `/docs`, written from the contract. No script: what is shown is what is sent.

use std::fmt::Write as _;

use serde_json::Value;

use crate::html::escaped;

/// The page for an OpenAPI document.
pub(crate) fn page(contract: &Value) -> String {
    let mut page = Page(String::new());
    page.head(contract);
    for tag in array(&contract["tags"]) {
        page.tag(contract, tag);
    }
    page.push("<h2>Shapes</h2>\n");
    for (name, schema) in object(&contract["components"]["schemas"]) {
        page.shape(name, schema);
    }
    page.push("</main>\n</html>\n");
    page.0
}

struct Page(String);

impl Page {
    fn push(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn put(&mut self, html: std::fmt::Arguments<'_>) {
        self.0.write_fmt(html).expect("a string takes everything");
    }

    fn head(&mut self, contract: &Value) {
        let title = escaped(text(&contract["info"]["title"]));
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}: reference</title>\n\
             <link rel=\"stylesheet\" href=\"docs/style.css\">\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n\
             <p>The same for programs: <a href=\"openapi.json\">openapi.json</a></p>\n",
            prose(text(&contract["info"]["description"])),
        ));
    }

    /// The operations of one tag.
    fn tag(&mut self, contract: &Value, tag: &Value) {
        let (name, description) = (text(&tag["name"]), text(&tag["description"]));
        self.put(format_args!(
            "<h2>{}</h2>\n<p>{}</p>\n",
            escaped(name),
            prose(description)
        ));
        for (path, item) in object(&contract["paths"]) {
            for (method, operation) in object(item) {
                if array(&operation["tags"]).iter().any(|of| of == name) {
                    self.operation(path, method, operation);
                }
            }
        }
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        self.put(format_args!(
            "<details id=\"{id}\"><summary><b>{}</b> <code>{}</code> {}</summary>\n<p>{}</p>\n",
            method.to_uppercase(),
            escaped(path),
            prose(text(&operation["summary"])),
            prose(text(&operation["description"])),
            id = escaped(text(&operation["operationId"])),
        ));
        let parameters = array(&operation["parameters"]);
        if !parameters.is_empty() {
            self.push("<table><tr><th>Parameter<th>In<th>Type<th>Meaning\n");
            for parameter in parameters {
                self.put(format_args!(
                    "<tr><td><code>{}</code><td>{}<td>{}<td>{}\n",
                    escaped(text(&parameter["name"])),
                    escaped(text(&parameter["in"])),
                    kind(&parameter["schema"]),
                    prose(text(&parameter["description"])),
                ));
            }
            self.push("</table>\n");
        }
        let bodies = object(&operation["requestBody"]["content"]);
        if !bodies.is_empty() {
            self.put(format_args!(
                "<p>Body: {}</p>\n",
                contents(&operation["requestBody"])
            ));
        }
        self.push("<table><tr><th>Status<th>Body<th>Meaning\n");
        for (status, response) in object(&operation["responses"]) {
            let meaning = prose(text(&response["description"]));
            self.put(format_args!(
                "<tr><td>{}<td>{}<td>{meaning}\n",
                escaped(status),
                contents(response)
            ));
        }
        self.push("</table></details>\n");
    }

    fn shape(&mut self, name: &str, schema: &Value) {
        self.put(format_args!(
            "<details id=\"shape-{name}\"><summary><code>{name}</code> {}</summary>\n",
            prose(text(&schema["description"])),
            name = escaped(name),
        ));
        let parts: Vec<&Value> = match array(&schema["allOf"]) {
            [] => vec![schema],
            parts => parts.iter().collect(),
        };
        for part in parts {
            let fields = object(&part["properties"]);
            if fields.is_empty() {
                self.put(format_args!("<p>{}</p>\n", kind(part)));
                continue;
            }
            let required = array(&part["required"]);
            self.push("<table><tr><th>Field<th>Type<th>Meaning\n");
            for (field, of) in fields {
                let optional = if required.iter().any(|name| name == field) {
                    ""
                } else {
                    ", optional"
                };
                self.put(format_args!(
                    "<tr><td><code>{}</code><td>{}{optional}<td>{}\n",
                    escaped(field),
                    kind(of),
                    prose(text(&of["description"])),
                ));
            }
            self.push("</table>\n");
        }
        self.push("</details>\n");
    }
}

/// The media types and shapes of a body.
fn contents(body: &Value) -> String {
    let each = object(&body["content"]).into_iter().map(|(media_type, content)| {
        let schema = if content["schema"].is_null() {
            &content["itemSchema"]
        } else {
            &content["schema"]
        };
        format!("<code>{}</code> {}", escaped(media_type), kind(schema))
    });
    each.collect::<Vec<_>>().join("<br>")
}

/// A schema in few words, shapes as links.
fn kind(schema: &Value) -> String {
    if let Some(name) = text(&schema["$ref"]).strip_prefix("#/components/schemas/") {
        let name = escaped(name);
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for (key, separator) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        let parts = array(&schema[key]);
        if !parts.is_empty() {
            return parts.iter().map(kind).collect::<Vec<_>>().join(separator);
        }
    }
    let values = array(&schema["enum"]);
    if !values.is_empty() {
        let shown = values
            .iter()
            .map(|value| format!("<code>{}</code>", escaped(text(value))));
        return shown.collect::<Vec<_>>().join(", ");
    }
    let name = match &schema["type"] {
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        name => text(name).to_owned(),
    };
    let mut words = escaped(&name);
    if name == "array" {
        words = format!("list of {}", kind(&schema["items"]));
    }
    let range = (&schema["minimum"], &schema["maximum"]);
    if let (Value::Number(from), Value::Number(to)) = range {
        let _ = write!(words, " {from} to {to}");
    }
    if !schema["default"].is_null() {
        let _ = write!(words, " ({})", escaped(&schema["default"].to_string()));
    }
    let fields = object(&schema["properties"]).into_iter();
    let fields: Vec<String> = fields
        .map(|(field, of)| format!("<code>{}</code>: {}", escaped(field), kind(of)))
        .collect();
    if fields.is_empty() {
        words
    } else {
        fields.join("; ")
    }
}

/// Doc comments as HTML: `code`, drawings between triple backticks, blank lines between paragraphs.
fn prose(markdown: &str) -> String {
    let mut shown = String::new();
    for (index, part) in escaped(markdown).split("```").enumerate() {
        if index % 2 == 1 {
            let drawing = part.split_once('\n').map_or("", |(_, drawing)| drawing);
            shown.extend(["<pre>", drawing, "</pre>"]);
            continue;
        }
        for (index, part) in part.split('`').enumerate() {
            shown.push_str(["", "<code>", "</code>"][if index == 0 { 0 } else { 2 - index % 2 }]);
            shown.push_str(&part.replace("\n\n", "<p>"));
        }
    }
    shown
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object(value: &Value) -> Vec<(&String, &Value)> {
    value
        .as_object()
        .map(|map| map.iter().collect())
        .unwrap_or_default()
}
