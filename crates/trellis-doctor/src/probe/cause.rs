//! Reads why a program failed from its last words.

use trellis_core::FailureKind;

use super::steps::Work;
use super::{During, Outcome, ProbeProblem};

/// What a step prints instead of an answer.
const LEFT_OUT: &str = "left out: ";

/// Between exceptions of which one came while the other was handled; the first is the true cause.
const BETWEEN: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

/// The problem, or that it works.
pub(super) fn of(outcome: &Outcome, work: Work) -> ProbeProblem {
    if let Some(limit) = outcome.timed_out {
        return ProbeProblem::TimedOut {
            seconds: limit.as_secs(),
            during: during(&outcome.errors, work),
        };
    }
    if outcome.success {
        let lines: Vec<String> = outcome.output.lines().map(str::to_owned).collect();
        let left_out = lines.iter().find_map(|line| line.strip_prefix(LEFT_OUT));
        return match left_out {
            Some(reason) => ProbeProblem::LeftOut {
                reason: reason.to_owned(),
            },
            None => ProbeProblem::Works { lines },
        };
    }
    known(&outcome.errors).unwrap_or_else(|| unknown(outcome))
}

/// By the stack that was printed before the time was up.
fn during(errors: &str, work: Work) -> During {
    let mut frames = errors
        .lines()
        .filter(|line| line.trim_start().starts_with("File \""));
    match work {
        _ if frames.any(|line| line.contains("/numba/")) => During::Numba,
        Work::Import => During::Import,
        Work::Gpu => During::Gpu,
        Work::Load => During::Load,
    }
}

/// The first exception of the chain that is known; those that follow come of it.
fn known(errors: &str) -> Option<ProbeProblem> {
    let mut rest = errors;
    loop {
        let cuts = BETWEEN
            .iter()
            .filter_map(|words| Some((rest.find(words)?, words.len())));
        let Some((end, length)) = cuts.min() else {
            return known_alone(rest);
        };
        if let Some(problem) = known_alone(&rest[..end]) {
            return Some(problem);
        }
        rest = &rest[end + length..];
    }
}

fn known_alone(errors: &str) -> Option<ProbeProblem> {
    if errors.contains("compiled using NumPy 1.x") || errors.contains("_ARRAY_API not found") {
        // The last frame before is that of the module with the extension.
        let frames = errors
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("File \""));
        let module = frames
            .filter_map(|line| line.split_once("-packages/"))
            .map(|(_, behind)| behind.split(['/', '.']).next().unwrap_or(behind).to_owned())
            .next_back();
        return Some(ProbeProblem::OtherNumpy { module });
    }
    if let Some(symbol) = word_behind(errors, "undefined symbol: ") {
        return Some(ProbeProblem::UndefinedSymbol { symbol });
    }
    if let Some(line) = errors
        .lines()
        .find(|line| line.contains("cannot open shared object file"))
    {
        let library = line.split(':').map(str::trim).find(|part| part.contains(".so"))?;
        let library = library.rsplit(' ').next().unwrap_or(library).to_owned();
        return Some(ProbeProblem::LibraryMissing { library });
    }
    if let Some(module) = word_behind(errors, "ModuleNotFoundError: No module named ") {
        let module = module.trim_matches('\'').to_owned();
        return Some(ProbeProblem::ModuleMissing { module });
    }
    if errors.contains("Failed to find C compiler") {
        return Some(ProbeProblem::NoCompiler);
    }
    if errors.contains("No operator found for") {
        return Some(ProbeProblem::NoOperator);
    }
    match FailureKind::from_symptom(errors)? {
        FailureKind::NoKernelImage => Some(ProbeProblem::NoKernelImage),
        FailureKind::GpuOutOfMemory => Some(ProbeProblem::OutOfMemory),
        _ => None,
    }
}

fn unknown(outcome: &Outcome) -> ProbeProblem {
    if let Some(signal) = outcome.signal {
        return ProbeProblem::Killed { signal };
    }
    // The first exception's own last line stands before the words that lead to the next.
    let cut = BETWEEN
        .iter()
        .filter_map(|words| outcome.errors.find(words))
        .min();
    let first = &outcome.errors[..cut.unwrap_or(outcome.errors.len())];
    let last = first.lines().rfind(|line| !line.trim().is_empty());
    ProbeProblem::Failed {
        last: last.unwrap_or("it says nothing").trim().to_owned(),
    }
}

fn word_behind(text: &str, words: &str) -> Option<String> {
    let (_, rest) = text.split_once(words)?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(errors: &str) -> ProbeProblem {
        let outcome = Outcome {
            output: String::new(),
            errors: errors.to_owned(),
            success: false,
            signal: None,
            timed_out: None,
        };
        of(&outcome, Work::Import)
    }

    #[test]
    fn of_a_chain_the_first_exception_is_the_cause() {
        let chain = "Traceback\nImportError: libx.so.1: cannot open shared object file: No such file\n\n\
                     During handling of the above exception, another exception occurred:\n\n\
                     Traceback\nValueError: Repository Not Found\nModuleNotFoundError: No module named 'y'\n";
        let library = "libx.so.1".to_owned();
        assert_eq!(failed(chain), ProbeProblem::LibraryMissing { library });
        let unknown = "KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nOSError: b\n";
        let last = "KeyError: 'a'".to_owned();
        assert_eq!(failed(unknown), ProbeProblem::Failed { last });
    }

    #[test]
    fn extensions_for_numpy_1_are_named() {
        let errors = "  File \"/e/lib/python3.12/site-packages/skimage/measure/x.py\", line 1, in <module>\n\
                      AttributeError: _ARRAY_API not found\n";
        let module = Some("skimage".to_owned());
        assert_eq!(failed(errors), ProbeProblem::OtherNumpy { module });
    }

    #[test]
    fn the_stack_tells_what_took_the_time() {
        let stack = "Timeout (0:00:01)!\nThread 0x1 (most recent call first):\n  File \"/e/numba/core/x.py\", line 3 in f\n";
        assert_eq!(during(stack, Work::Import), During::Numba);
        assert_eq!(
            during("  File \"/e/torch/x.py\", line 1 in f\n", Work::Import),
            During::Import
        );
        assert_eq!(during("", Work::Gpu), During::Gpu);
    }

    #[test]
    fn last_words_of_the_known_failures_are_understood() {
        let symbol = "_ZNK3c106SymInt6sym_neERKS0_".to_owned();
        let import = format!("ImportError: /env/kaolin/_C.so: undefined symbol: {symbol}\n");
        assert_eq!(failed(&import), ProbeProblem::UndefinedSymbol { symbol });
        assert_eq!(
            failed("ImportError: libcudart.so.12: cannot open shared object file: No such file or directory"),
            ProbeProblem::LibraryMissing {
                library: "libcudart.so.12".to_owned()
            }
        );
        assert_eq!(
            failed("ModuleNotFoundError: No module named 'spconv'\n"),
            ProbeProblem::ModuleMissing {
                module: "spconv".to_owned()
            }
        );
        let cuda = "RuntimeError: CUDA error: no kernel image is available for execution on the device";
        assert_eq!(failed(cuda), ProbeProblem::NoKernelImage);
        assert_eq!(
            failed("NotImplementedError: No operator found for `memory_efficient_attention_forward`"),
            ProbeProblem::NoOperator
        );
        assert_eq!(
            failed("RuntimeError: Failed to find C compiler. Please specify via CC environment variable.\n"),
            ProbeProblem::NoCompiler
        );
        for full in [
            "torch.OutOfMemoryError: CUDA out of memory.",
            "RuntimeError: CUDA error: out of memory",
        ] {
            assert_eq!(failed(full), ProbeProblem::OutOfMemory);
        }
        assert_eq!(
            failed("Traceback\nValueError: odd\n\n"),
            ProbeProblem::Failed {
                last: "ValueError: odd".to_owned()
            }
        );
    }
}
