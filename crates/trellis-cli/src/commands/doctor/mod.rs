//! `trellis doctor`: gathers the checks that apply here into one report. The checks are in trellis-doctor.

mod environment;
mod model;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

use trellis_core::Model;
use trellis_doctor::gpu::{self, Driver, Machine, Target};
use trellis_doctor::host::{self, Host};
use trellis_doctor::probe::{self, Probe};
use trellis_doctor::{
    Capability, Check, Environment, EnvironmentError, Finding, Level, Looked, Report, Settings, examine,
    system_library_folders, triton, variables,
};
use trellis_gpu::GpuError;
use trellis_models::Places;
use trellis_pins::Pins;

use super::Context;
use crate::config::{self, SettingFlags};
use crate::env;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

use self::environment::Meant;

pub(crate) use start::before_start;

/// Show what would keep TRELLIS from running here, and how to fix it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The last line says whether TRELLIS can run here, and whether the preview can.

Exit codes: 0 no errors, 1 warnings with --strict, 2 errors (the verdict is \"no\") or could not start.
docs/doctor.md lists the checks and describes the JSON form.")]
pub(crate) struct DoctorArgs {
    /// Python environment: a virtual environment, a conda prefix, a Nix store path or a folder of packages;
    /// else that of `$TRELLIS_WORKER_PYTHON` (`$TRELLIS_TRELLIS2_PYTHON`), `$VIRTUAL_ENV` or `$CONDA_PREFIX`
    #[arg(long, value_name = "FOLDER")]
    env: Option<PathBuf>,
    /// Model folder, or `ORG/NAME` in the hub cache, to check as `trellis model check` does; else
    /// `$TRELLIS_MODEL_PATH` (`$TRELLIS_TRELLIS2_MODEL`)
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The model that is to run, `trellis-image-large` or `trellis2-4b`: its variables are the ones that count, and its code
    /// must be in the environment; default: what is in the model folder and the environment
    #[arg(long, value_name = "NAME")]
    model_name: Option<Model>,
    /// What the libraries must run on, for a GPU that is elsewhere; else that of the GPU here, else the first
    /// of the pinned set
    #[arg(long, value_name = "MAJOR.MINOR")]
    capability: Option<Capability>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Exit with 1 if there are warnings
    #[arg(long)]
    strict: bool,
    /// Also run the environment: imports, a matrix product, an attention, a sparse convolution, the model
    #[arg(long)]
    probe: bool,
    /// How long a step of the probe may take; imports and the model's loading may take five times as long
    #[arg(long, value_name = "SECONDS", value_parser = crate::numbers::parse::<u64>, default_value_t = 120, requires = "probe")]
    probe_seconds: u64,
}

/// Loading the model, and TRELLIS's first import, during which numba compiles, take longer than other steps by
/// as much.
const LONG_FACTOR: u32 = 5;

pub(crate) fn run(args: &DoctorArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let pins = Pins::embedded();
    let library_folders = system_library_folders();
    let machine = look(context, &library_folders);
    let capability = args
        .capability
        .or_else(|| machine.capability())
        .map_or_else(pinned_capability, Ok)?;
    let wanted = wanted(args, context);
    let settings = Settings {
        capability,
        library_folders,
        pins,
        model: wanted.model,
    };

    let mut meant = environment::meant(args.env.as_deref(), wanted.python, context)?;
    if args.probe {
        meant = meant.asked(Duration::from_secs(args.probe_seconds));
    }
    let mut report = Report::new(capability);
    let mut environment = None;
    match meant {
        Meant::Here(found) => {
            report = examine(&found, &settings);
            environment = Some(found);
        }
        Meant::Untold(variable, python) => {
            let untold = EnvironmentError::Untold { variable, python };
            report.add([Finding::new(Check::Environment, variable, &untold)]);
        }
        Meant::None => {}
        // What else there is to say would be about another environment than the one that was meant.
        Meant::Unusable(subject, error) => {
            report.add([Finding::new(Check::Environment, subject, &error)]);
            return conclude(&report, args);
        }
    }
    let target = match args.capability {
        None => Target::Here,
        Some(_) => Target::Anywhere,
    };
    let models = settings.to_run(&report.models);
    let of_gpu = gpu::Wanted {
        capability,
        cuda: &pins.cuda,
        models: &models,
    };
    report.add(gpu::check(&machine, &of_gpu, target));
    let capabilities = args
        .capability
        .map_or_else(|| machine.capabilities(), |one| vec![one]);
    report.add(triton::of_gpus(&capabilities, &models));
    if let Some(environment) = &environment {
        let get = |name: &str| variable(context, name);
        let judged = variables::check(&get, capability, &report.models);
        report.add(judged);
        let compiling = triton::check(&get, environment, &report.models);
        report.add(compiling);
    }
    if let Some(checked) = &wanted.folder {
        report.add(checked.findings.iter().cloned());
    }
    let looked = Looked {
        environment: environment.is_some(),
        gpu: machine.capability() == Some(capability),
        model: wanted.folder.is_some(),
        probe: args.probe,
    };
    let mut host = Host::look(&folders(context));
    if environment.is_none() {
        host = host.before_a_build(Path::new("/nix/store"));
    }
    report.add(host::check(&host));
    if args.probe {
        let model = wanted.folder.and_then(|checked| checked.folder);
        let mut asked = probe_of(
            args,
            environment.as_ref(),
            model,
            environment::named(wanted.python, context),
        )?;
        asked.models.clone_from(&report.models);
        report.add(probe::run(&asked));
    }
    report.look(looked);
    conclude(&report, args)
}

/// What arguments and variables say of the model.
struct Wanted {
    /// The model that the environment must run, if they tell.
    model: Option<Model>,
    /// Its folder, or that of the variables.
    folder: Option<model::Checked>,
    /// The variable that names its Python.
    python: &'static str,
}

/// The variables of the model that arguments name count, by its name or its folder; without, those that are set.
fn wanted(args: &DoctorArgs, context: &Context<'_>) -> Wanted {
    let asked = args.model.as_ref();
    let asked = asked.map(|folder| model::check(folder, args.model_name, context));
    let model = args.model_name.or(asked.as_ref().and_then(|checked| checked.of));
    let named = model.unwrap_or_else(|| environment::named_model(context));
    let (python, of_folder) = environment::variables_of(named);
    let of_variable = || {
        let folder = environment::named(of_folder, context)?;
        Some(model::check(&folder.to_string_lossy(), Some(named), context))
    };
    let folder = asked.or_else(of_variable);
    // An environment that was asked for need not be the one of the variables' folder.
    let told = folder.as_ref().filter(|_| args.env.is_none());
    Wanted {
        model: model.or(told.and_then(|checked| checked.of)),
        folder,
        python,
    }
}

/// Prints the report; the exit code follows its verdict.
fn conclude(report: &Report, args: &DoctorArgs) -> Result<Exit, CliError> {
    print(report, args)?;
    Ok(match report.exit_code(args.strict) {
        0 => Exit::Done,
        1 => Exit::Failed,
        _ => Exit::NotStarted,
    })
}

/// The machine, its driver searched where the linker would.
fn look(context: &Context<'_>, library_folders: &[PathBuf]) -> Machine {
    let path = variable(context, env::LD_LIBRARY_PATH);
    let driver = match trellis_gpu::list(library_folders) {
        Ok(found) => Driver::Running {
            version: found.driver,
            gpus: found.gpus,
        },
        Err(GpuError::NoDriver { .. }) => Driver::Missing,
        Err(GpuError::Driver { source }) => Driver::Broken {
            reason: source.to_string(),
        },
    };
    Machine::look(driver, path.as_deref(), library_folders)
}

fn variable(context: &Context<'_>, name: &str) -> Option<String> {
    let value = context.environment.get(name)?;
    Some(value.to_string_lossy().into_owned())
}

fn pinned_capability() -> Result<Capability, CliError> {
    let first = Pins::embedded()
        .cuda
        .capabilities
        .first()
        .map_or("", String::as_str);
    first.parse().map_err(CliError::not_started)
}

/// Folders that will be written: the data, the driver's cache and that of models. A settings file that cannot
/// be read is what `trellis config check` tells; here only the disk of the data goes unlooked at.
fn folders(context: &Context<'_>) -> Vec<PathBuf> {
    let effective = config::load(
        &SettingFlags::default(),
        context.environment,
        context.config_file.as_deref(),
    );
    let data = effective.ok().map(|effective| effective.config.node.data_dir);
    // The driver's own default.
    let default = || environment::named("HOME", context).map(|home| home.join(".nv/ComputeCache"));
    let driver = environment::named("CUDA_CACHE_PATH", context).or_else(default);
    let places = Places::from_env(|name| context.environment.get(name).map(Into::into));
    [data, driver, Some(places.hub_cache)]
        .into_iter()
        .flatten()
        .collect()
}

fn probe_of(
    args: &DoctorArgs,
    environment: Option<&Environment>,
    model: Option<PathBuf>,
    of_worker: Option<PathBuf>,
) -> Result<Probe, CliError> {
    let own = environment.and_then(|environment| environment.interpreter.clone());
    // What the workers run, with what a script of that name sets. That of another environment than the one asked
    // for would answer for the wrong one.
    let named = of_worker.filter(|_| args.env.is_none());
    let python = named.or(own);
    let python = python.ok_or_else(|| {
        CliError::usage("there is no interpreter to probe with")
            .hint("name an environment that has `bin/python3` with `--env`")
    })?;
    let limit = Duration::from_secs(args.probe_seconds);
    Ok(Probe {
        python,
        models: Vec::new(),
        model,
        limit,
        long_limit: limit.saturating_mul(LONG_FACTOR),
    })
}

fn print(report: &Report, args: &DoctorArgs) -> Result<Exit, CliError> {
    if args.json {
        let json = serde_json::to_string_pretty(report).map_err(CliError::failed)?;
        return super::print(&format!("{json}\n"));
    }
    let mut text = report.to_text(output::colours_on(&std::io::stdout()));
    let unusable = report
        .findings
        .iter()
        .any(|finding| finding.check == Check::Environment);
    if report.environment.is_none() && !unusable {
        text.push_str("To check a Python environment, name it with `--env`.\n");
    } else if report.level == Level::Ok && !args.probe {
        text.push_str("`--probe` also runs it.\n");
    }
    text.push_str(&report.last_line());
    super::print_coloured(&text)
}
