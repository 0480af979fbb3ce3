//! `trellis generate`: from pictures to files, in this process or on a server.

pub(crate) mod api_key;
pub(crate) mod asset;
mod engine;
mod folder;
pub(crate) mod local;
mod names;
mod params;
pub(crate) mod pieces;
mod plan;
mod remote;
mod report;
pub(crate) mod show;
mod work;
pub(crate) mod write;

use std::path::PathBuf;
use std::sync::Arc;

use trellis_client::{Client, address};
use trellis_core::{AskedBackend, Format, MeshFormat, Model, ParamsPatch, PictureFormat, Priority};
use trellis_node::{Settings, check_model_folder, origin, start_backends};

use self::api_key::ApiKeyFlag;
use self::asset::OfServer;
use self::engine::Engine;
use self::local::Local;
use self::params::ParamFlags;
use self::plan::{Plan, PlanError, Wish};
use self::remote::Remote;
use self::show::Show;
use super::Context;
use crate::config::{self, Config, SettingFlags};
use crate::env::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{block_on, env, logs, output, signals};

/// Make 3D assets from pictures, in this process or on a server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trellis generate photo.png -o chair.glb
  trellis generate photos/ -o out/ --format glb,stl
  trellis generate front.png side.png --multiview -o chair.glb --server http://127.0.0.1:8000
  trellis generate photo.png --texture-mesh chair.glb -o chair-textured.glb

The paths of finished files go to standard output. An OBJ comes with its MTL and its texture beside it \
(`chair.obj`, `chair.mtl`, `chair.texture.png`), or in one file with `-o chair.zip`. What made an asset is recorded in the \
GLB itself; with `--statement` or a signing key also in a file beside it. A bad picture does not stop the others: \
the end lists what failed and why, and the exit code is then 1. Existing files are replaced.

In a folder, files that are not pictures are passed over; the end lists each with the reason, and the exit code is \
then 1. Assets in an output folder are named after their pictures, and more fully where names would clash: \
`ok.jpg.glb` and `ok.png.glb`, or `a-x.glb` and `b-x.glb` for two pictures `x.png` from the folders `a` and `b`.")]
pub(crate) struct GenerateArgs {
    #[arg(required = true, value_name = "PICTURE", help = pictures_help())]
    pictures: Vec<PathBuf>,

    /// File of the one asset, or a folder: one that is there, or a name ending with `/`; default: here
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// All pictures are views of one object
    #[arg(long)]
    multiview: bool,

    #[arg(long, value_name = "MESH", help = texture_mesh_help())]
    texture_mesh: Option<PathBuf>,

    #[arg(long, value_name = "FORMATS", value_delimiter = ',', value_parser = format_named, help = format_help())]
    format: Vec<Format>,

    #[arg(long, value_name = "NAME", help = backend_help())]
    backend: Option<AskedBackend>,

    /// Send the pictures to this server instead of working here
    #[arg(long, value_name = "URL", value_parser = address::parse)]
    server: Option<String>,

    /// Make the assets even if the server has cached results of the same request
    #[arg(long, requires = "server")]
    no_cache: bool,

    #[arg(long, value_name = "NAME", requires = "server", help = priority_help())]
    priority: Option<Priority>,

    #[command(flatten)]
    statement: StatementFlags,

    #[command(flatten)]
    api_key: ApiKeyFlag,

    /// Print a line of JSON for each asset as it is done, made or failed
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    params: ParamFlags,
}

/// Whether there is to be a statement, and who signs it.
#[derive(Debug, clap::Args)]
struct StatementFlags {
    /// Write a statement of what made each asset beside it (`chair.intoto.json`): JSON in the form of in-toto,
    /// not signed unless there is a key; default: the setting `provenance.statement`. From a server, the one
    /// that it made
    #[arg(long)]
    statement: bool,

    /// Write a statement and sign it with the secret key in this file, in Nix's form
    /// (`chair.intoto.dsse.json`); default: the setting `provenance.sign_key`. A server signs with its own
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    sign_key: Option<PathBuf>,
}

pub(crate) fn run(args: &GenerateArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut loaded = config::load_without_data(
        &SettingFlags::default(),
        context.environment,
        context.config_file.as_deref(),
    )?;
    if let Some(file) = &args.statement.sign_key {
        loaded.config.node.provenance.sign_key.clone_from(file);
    }
    loaded.config.node.provenance.statement |= args.statement.statement;
    // A person who waits for files wants progress, not the log of a server.
    logs::start(&loaded.log_or("warn"), None);
    let formats = plan::formats(&args.format, args.output.as_deref());
    let mut asked = args.params.patch(&formats);
    if args.texture_mesh.is_some() {
        asked = asked.for_a_mesh().map_err(|error| {
            CliError::usage(error).hint("leave the parameter out; docs/trellis2.md lists those that apply")
        })?;
    }
    let patch = match args.server {
        Some(_) => asked,
        None => asked.or(&loaded.config.node.defaults()),
    };
    params::check(&patch)
        .map_err(|error| CliError::usage(error).hint("`trellis generate --help` lists every range"))?;
    let plan = plan::plan(&Wish {
        pictures: &args.pictures,
        output: args.output.as_deref(),
        formats: &formats,
        multiview: args.multiview,
    })?;
    block_on(async {
        let stopping = signals::first_signal("stopping; a second signal ends at once")?;
        let engine = start(args, context.environment, &loaded.config, &patch).await;
        let engine = engine.map_err(|error| error.with_exit(Exit::NotStarted))?;
        let show = Show::new();
        show.line(&engine.introduction());
        let work = work::Work {
            engine: &engine,
            show: &show,
            patch: &patch,
            mesh: args.texture_mesh.as_deref(),
            max_bytes: loaded.config.node.limits.body_bytes,
            json: args.json,
            of_server: OfServer {
                anew: args.no_cache,
                priority: args.priority.unwrap_or_default(),
                states: loaded.config.node.provenance.statement,
            },
            batch: plan.tasks.len() > 1,
            stopping,
        };
        let failed = work.all(&plan.tasks).await;
        if args.json {
            for passed in &plan.passed_over {
                show.result(&report::Line::passed_over(passed).to_json());
            }
        }
        Ok(conclude(&show, &plan, &failed))
    })
}

async fn start(
    args: &GenerateArgs,
    environment: &Environment,
    config: &Config,
    patch: &ParamsPatch,
) -> Result<Engine, CliError> {
    let choice = match args.backend.unwrap_or(config.node.backend) {
        AskedBackend::Auto if args.texture_mesh.is_some() => AskedBackend::Trellis,
        choice => choice,
    };
    if let Some(address) = &args.server {
        let client = Client::new(address, args.api_key.find(environment)?.as_ref())?;
        return Ok(Engine::Remote(Remote::reach(client, choice).await?));
    }
    // TRELLIS takes minutes to load: for one picture only where it is asked for by name.
    let here = match choice {
        AskedBackend::Trellis => AskedBackend::Trellis,
        AskedBackend::Auto | AskedBackend::Relief => AskedBackend::Relief,
    };
    let node = &of_one_model(&config.node, patch);
    if here == AskedBackend::Trellis {
        config.with_data()?;
        check_model_folder(&node.trellis.model)?;
        check_model_folder(&node.trellis2.model)?;
    }
    let origin = origin(node, environment.get(env::PATH)).await?;
    let backends = start_backends(node, here, &node.data_dir).await?;
    Ok(Engine::Local(Local::choose(
        &backends.registry,
        choice.into(),
        patch,
        args.texture_mesh.is_some(),
        Arc::new(origin),
    )?))
}

/// Settings in which no model runs but the one that is asked for: each takes minutes to load.
fn of_one_model(node: &Settings, patch: &ParamsPatch) -> Settings {
    let mut node = node.clone();
    let first_runs = !node.trellis.model.as_os_str().is_empty();
    let usual = if first_runs {
        Model::TrellisImageLarge
    } else {
        Model::Trellis2
    };
    let usual = node.default_model.unwrap_or(usual);
    // What is wrong with a request was said before.
    let asked = patch.clone().or_model(usual).resolve(0);
    match asked.map_or(usual, |params| params.model.model()) {
        Model::TrellisImageLarge => node.trellis2.model = PathBuf::new(),
        Model::Trellis2 => node.trellis.model = PathBuf::new(),
    }
    node
}

/// Says what failed and what was passed over, and how it ends.
fn conclude(show: &Show, plan: &Plan, failed: &[(String, CliError)]) -> Exit {
    let Plan { tasks, passed_over } = plan;
    if !passed_over.is_empty() {
        show.line(&report::passed_over(passed_over));
    }
    if let Some(error) = show.unwritten() {
        let message = format!("cannot write to standard output: {error}");
        let hint = "the files were written; only the lines about them are missing";
        output::complain(&CliError::new("output", Exit::Failed, message).hint(hint));
    } else if failed.is_empty() && passed_over.is_empty() {
        return Exit::Done;
    }
    match (tasks.as_slice(), failed) {
        (_, []) => {}
        ([_], [(name, error)]) => {
            let message = format!("{name}: {}", error.sentence());
            output::complain(&CliError::new("failed", Exit::Failed, message).hint(error.advice()));
        }
        _ => show.line(&report::failures(tasks.len(), failed)),
    }
    Exit::Failed
}

fn texture_mesh_help() -> String {
    format!(
        "Texture this mesh ({}, Y up) as the pictures show it, with `trellis2-4b`",
        MeshFormat::LISTED
    )
}

fn pictures_help() -> String {
    format!("Pictures ({}), or folders of pictures", PictureFormat::LISTED)
}

/// A format as people write it: in capitals, or with a space after the comma.
pub(crate) fn format_named(text: &str) -> Result<Format, trellis_core::UnknownName> {
    text.trim().to_ascii_lowercase().parse()
}

fn format_help() -> String {
    let names = Format::ALL.map(Format::name).join(", ");
    format!(
        "What to make, separated by commas: {names}; default: what the output's name ends in, else {}",
        Format::Glb
    )
}

fn backend_help() -> String {
    let names = AskedBackend::ALL.map(AskedBackend::name).join(", ");
    format!("Which backend: {names}; default: the setting `backend`")
}

pub(crate) fn priority_help() -> String {
    let names = Priority::ALL.map(Priority::name).join(", ");
    let default = Priority::default();
    format!("Priority among the jobs of the same API key: {names}; default: {default}")
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        let advice = error.advice();
        Self::not_started(error).hint(advice)
    }
}
