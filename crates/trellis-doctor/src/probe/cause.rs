//! Reads why a program failed from its last words.

use super::{Outcome, ProbeProblem};

/// What a step prints instead of an answer.
const LEFT_OUT: &str = "left out: ";

/// The problem, or that it works.
pub(super) fn of(outcome: &Outcome) -> ProbeProblem {
    if let Some(limit) = outcome.timed_out {
        return ProbeProblem::TimedOut {
            seconds: limit.as_secs(),
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

fn known(errors: &str) -> Option<ProbeProblem> {
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
    let table = [
        ("no kernel image is available", ProbeProblem::NoKernelImage),
        ("No operator found for", ProbeProblem::NoOperator),
        ("CUDA out of memory", ProbeProblem::OutOfMemory),
        ("torch.OutOfMemoryError", ProbeProblem::OutOfMemory),
    ];
    let found = table.into_iter().find(|(words, _)| errors.contains(words));
    found.map(|(_, problem)| problem)
}

fn unknown(outcome: &Outcome) -> ProbeProblem {
    if let Some(signal) = outcome.signal {
        return ProbeProblem::Killed { signal };
    }
    let last = outcome.errors.lines().rfind(|line| !line.trim().is_empty());
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
        of(&Outcome {
            output: String::new(),
            errors: errors.to_owned(),
            success: false,
            signal: None,
            timed_out: None,
        })
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
            failed("torch.OutOfMemoryError: CUDA out of memory."),
            ProbeProblem::OutOfMemory
        );
        assert_eq!(
            failed("Traceback\nValueError: odd\n\n"),
            ProbeProblem::Failed {
                last: "ValueError: odd".to_owned()
            }
        );
    }
}
