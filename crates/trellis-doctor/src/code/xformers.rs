//! Which attention operators of xformers take the capability, read from its Python sources.
//!
//! An operator's class says so in lines such as `CUDA_MAXIMUM_COMPUTE_CAPABILITY = (9, 0)` and
//! `SUPPORTED_DTYPES: Set[torch.dtype] = {torch.float, torch.half, torch.bfloat16}`.

use super::problem::CodeProblem;
use crate::packages::Packages;
use trellis_core::Capability;

/// The operators that the dispatcher tries, by file.
const OPERATORS: [&str; 3] = ["cutlass", "flash", "flash3"];

struct Operator {
    fp32: bool,
    half: bool,
    highest: Option<Capability>,
}

/// Judges the operators together: fp32 is the only case that TRELLIS meets and the wheel may not serve.
pub(super) fn check(packages: &Packages, capability: Capability) -> Option<CodeProblem> {
    let files = OPERATORS.map(|name| format!("xformers/ops/fmha/{name}.py"));
    let operators: Vec<Operator> = files
        .iter()
        .filter_map(|name| packages.file(name))
        .filter_map(|(_, source)| operator(&source))
        .collect();
    let takes = |operator: &&Operator| operator.highest.is_none_or(|highest| capability <= highest);
    if operators.iter().filter(takes).any(|operator| operator.fp32) {
        return None;
    }
    let fp32 = operators.iter().filter(|operator| operator.fp32);
    let highest = fp32.filter_map(|operator| operator.highest).max()?;
    let half_precision = operators.iter().filter(takes).any(|operator| operator.half);
    Some(CodeProblem::OperatorLimit {
        highest,
        half_precision,
    })
}

/// The forward operator, which comes first in its file.
fn operator(source: &str) -> Option<Operator> {
    let value = |name: &str| {
        let start = source.find(&format!("    {name}"))?;
        let (_, value) = source[start..].split_once('=')?;
        let end = value.find(['}', ')', '\n'].as_slice()).unwrap_or(value.len());
        let multi_line = value.trim_start().starts_with('{');
        let end = if multi_line {
            value.find('}').unwrap_or(end)
        } else {
            end
        };
        Some(&value[..end])
    };
    let types = value("SUPPORTED_DTYPES")?;
    let highest = value("CUDA_MAXIMUM_COMPUTE_CAPABILITY").and_then(|pair| {
        let (major, minor) = pair.trim().strip_prefix('(')?.split_once(',')?;
        Some(Capability {
            major: major.trim().parse().ok()?,
            minor: minor.trim().parse().ok()?,
        })
    });
    Some(Operator {
        fp32: types.contains("torch.float,")
            || types.contains("torch.float32")
            || types.trim_end().ends_with("torch.float"),
        half: types.contains("torch.half") || types.contains("torch.float16"),
        highest,
    })
}
