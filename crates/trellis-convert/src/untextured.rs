//! A GLB without its pictures: the mesh in the plain colours of its materials.
//!
//! Works on the JSON and the one buffer of a GLB (glTF 2.0, chapter 4.4): what pictures took of the buffer goes, what
//! names it goes, and the numbers of what is left are written again.

use serde_json::{Map, Value};

use crate::ConvertError;

const JSON: u32 = 0x4E4F_534A;
const BIN: u32 = 0x004E_4942;

/// The same GLB without textures.
pub(crate) fn of(glb: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let (json, buffer) = chunks(glb)?;
    let mut document: Map<String, Value> = serde_json::from_slice(json).map_err(|_| missing("JSON"))?;
    let pictures = views_of_pictures(&document);
    for name in ["images", "textures", "samplers"] {
        document.remove(name);
    }
    for material in list(&mut document, "materials") {
        forget_textures(material);
    }
    let buffer = without_views(&mut document, buffer, &pictures)?;
    packed(&document, &buffer)
}

fn missing(what: &'static str) -> ConvertError {
    ConvertError::Missing { what }
}

/// The JSON and the buffer.
fn chunks(glb: &[u8]) -> Result<(&[u8], &[u8]), ConvertError> {
    let word = |at: usize| {
        let bytes = glb.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let chunk = |at: usize, kind: u32| {
        let length = word(at)? as usize;
        let start = at.checked_add(8)?;
        (word(at + 4)? == kind).then(|| glb.get(start..start.checked_add(length)?))?
    };
    let json = chunk(12, JSON).ok_or(missing("JSON"))?;
    let buffer = chunk(20 + json.len(), BIN).unwrap_or_default();
    Ok((json, buffer))
}

fn list<'a>(document: &'a mut Map<String, Value>, name: &str) -> impl Iterator<Item = &'a mut Value> {
    let found = document.get_mut(name).and_then(Value::as_array_mut);
    found.into_iter().flatten()
}

fn views_of_pictures(document: &Map<String, Value>) -> Vec<u64> {
    let pictures = document
        .get("images")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    pictures
        .filter_map(|picture| picture.get("bufferView")?.as_u64())
        .collect()
}

/// Takes `…Texture` out of a material, at every depth: extensions have theirs too.
fn forget_textures(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|name, _| !name.ends_with("Texture"));
        fields.values_mut().for_each(forget_textures);
    }
}

/// Takes these views out of list and buffer, and corrects all that counts views.
fn without_views(
    document: &mut Map<String, Value>,
    buffer: &[u8],
    gone: &[u64],
) -> Result<Vec<u8>, ConvertError> {
    let Some(Value::Array(views)) = document.remove("bufferViews") else {
        return Ok(buffer.to_vec());
    };
    let mut left = Vec::new();
    let mut kept = Vec::new();
    let mut number_of = Vec::new();
    for (number, mut view) in (0..).zip(views) {
        number_of.push(left.len());
        if gone.contains(&number) {
            continue;
        }
        let part = |name: &str| usize::try_from(view.get(name).map_or(Some(0), Value::as_u64)?).ok();
        let bytes = part("byteOffset")
            .zip(part("byteLength"))
            .and_then(|(offset, length)| buffer.get(offset..offset.checked_add(length)?));
        let bytes = bytes.ok_or(missing("a view"))?;
        view["byteOffset"] = kept.len().into();
        kept.extend_from_slice(bytes);
        kept.resize(kept.len().next_multiple_of(4), 0);
        left.push(view);
    }
    document.insert("bufferViews".to_owned(), left.into());
    for buffer in list(document, "buffers") {
        buffer["byteLength"] = kept.len().into();
    }
    for accessor in list(document, "accessors") {
        if let Some(view) = accessor.get_mut("bufferView") {
            let number = view
                .as_u64()
                .and_then(|number| number_of.get(usize::try_from(number).ok()?));
            *view = (*number.ok_or(missing("a view"))?).into();
        }
    }
    Ok(kept)
}

fn packed(document: &Map<String, Value>, buffer: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let mut json = serde_json::to_vec(document).map_err(|_| missing("JSON"))?;
    json.resize(json.len().next_multiple_of(4), b' ');
    let short = |length: usize| u32::try_from(length).map_err(|_| missing("so large a file"));
    let mut glb = b"glTF\x02\0\0\0".to_vec();
    glb.extend(short(28 + json.len() + buffer.len())?.to_le_bytes());
    for (kind, chunk) in [(JSON, json.as_slice()), (BIN, buffer)] {
        glb.extend(short(chunk.len())?.to_le_bytes());
        glb.extend(kind.to_le_bytes());
        glb.extend_from_slice(chunk);
    }
    Ok(glb)
}
