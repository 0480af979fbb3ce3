//! The services of a server and how they are put together.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Origin, Others, Readiness, Registry};
use trellis_core::Gpu;
use trellis_jobs::{
    BlobStore, Docketed, HeavyWork, Janitor, JobLimits, JobStore, Jobs, Makers, Patience, Retention, Staging,
    Unknown, Watch,
};
use trellis_runner::{LocalMakers, Runner, RunnerSettings};
use trellis_server::{
    AllowedHosts, AllowedOrigins, AppParts, AppState, Entrance, HttpLimits, KeyRing, Metrics, TrustedProxies,
};
use trellis_supervisor::TrellisBackend;
use trellis_webhook::SecretRing;

use crate::ability::Abilities;
use crate::about::{About, Offer};
use crate::backends::Backends;
use crate::cluster::{self, Cluster, ClusterMakers};
use crate::data_dir::DataDir;
use crate::keeping::Kept;
use crate::needs::NeedingMakers;
use crate::roster::Roster;
use crate::servers::Servers;
use crate::webhooks::{self, Sending};
use crate::{Certificates, NodeError, Role, Settings, backends, keeping, open_files, service_manager};

/// Attempts that a job has before it fails with `worker_lost`.
const MAX_ATTEMPTS: u32 = 3;
/// How long a claimed job is kept without a sign of life. Only another server on the same store would wait
/// for it: after a restart the runner takes its own jobs back at once.
const LEASE: Duration = Duration::from_secs(30);
/// How often a sign of life is given: a few may be late.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often the janitor looks.
const JANITOR: Duration = Duration::from_secs(600);

/// Room on disk for submissions that are coming in, in bodies of the largest size.
const BODIES_COMING_IN: u64 = 16;
/// Memory for looking at what came in.
const HEAVY_WORK_BYTES: u64 = 128 << 20;
/// Memory for showing what of a picture is the object, unless a single picture takes more: then that one takes it alone.
const PREPROCESSING_BYTES: u64 = 256 << 20;
/// How long a submission that has arrived waits until it is looked at.
const HEAVY_WORK_PATIENCE: Duration = Duration::from_secs(20);

/// Where requests come in.
pub(crate) struct Doors {
    /// `None`: this server only works on jobs.
    pub(crate) entrance: Option<Entrance>,
    pub(crate) certificates: Option<Certificates>,
    /// For `/metrics` alone.
    pub(crate) metrics: Option<TcpListener>,
    /// For StableProjectorz.
    pub(crate) projectorz: Option<TcpListener>,
    pub(crate) keys: KeyRing,
}

/// By what the server may be addressed.
struct Names {
    bound: IpAddr,
    /// The names in its certificate.
    certified: Vec<String>,
}

/// The opened store and what works on it.
pub(crate) struct Services {
    store: Arc<dyn JobStore>,
    blobs: Arc<dyn BlobStore>,
    dockets: Docketed,
    unknown: Unknown,
    origin: Arc<Origin>,
    /// The backends of all servers.
    registry: Arc<Registry>,
    /// Those of this one.
    here: Registry,
    cluster: Option<Cluster>,
    roster: Option<Arc<Roster>>,
    abilities: Abilities,
    metrics: Metrics,
    trellis: Vec<Arc<TrellisBackend>>,
    previews: Option<Arc<dyn Backend>>,
    webhooks: Option<Sending>,
}

impl Services {
    /// Opens what is on disk.
    pub(crate) async fn open(settings: &Settings, data: &DataDir, origin: Origin) -> Result<Self, NodeError> {
        let kept = keeping::open(settings, data).await?;
        let unknown = keeping::unknown(data, &kept).await?;
        let Kept {
            store, blobs, shared, ..
        } = kept;
        let backends = match settings.role {
            Role::Api => Backends::none(),
            Role::All | Role::Worker => backends::start(settings, settings.backend, data.root()).await?,
        };
        let here = backends.registry;
        let cluster = match shared {
            Some(shared) => Some(cluster::join(&settings.store, shared, data.worker()).await?),
            None => None,
        };
        let machine = if backends.trellis.is_empty() {
            Vec::new()
        } else {
            tokio::task::spawn_blocking(gpus).await.unwrap_or_default()
        };
        let abilities = Abilities::new(here.clone(), &origin, machine, cluster.is_some());
        let registry = match &cluster {
            Some(cluster) => {
                let others: Arc<dyn Others> = cluster.roster.clone();
                let all = backends::anywhere(&here, &others);
                // What runs here, unless another is named.
                let ours = (!here.all().is_empty()).then(|| here.default_model());
                match settings.default_model.or(ours) {
                    Some(model) => all.with_default_model(model),
                    None => all,
                }
            }
            None => here.clone(),
        };
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let dockets = Docketed::new(store, Arc::clone(&blobs)).with_observer(Arc::new(metrics.clone()));
        let store: Arc<dyn JobStore> = Arc::new(dockets.clone());
        let webhooks = webhooks::open(&settings.webhooks, store.clone(), Arc::new(metrics.clone()))?;
        Ok(Self {
            origin: Arc::new(origin),
            store,
            webhooks,
            metrics,
            blobs,
            dockets,
            unknown,
            registry: Arc::new(registry),
            here,
            abilities,
            roster: cluster.as_ref().map(|cluster| cluster.roster.clone()),
            cluster,
            trellis: backends.trellis,
            previews: backends.previews,
        })
    }

    /// The secrets that messages to webhooks are signed with, where jobs may have webhooks.
    pub(crate) fn webhook_secrets(&self) -> Option<&SecretRing> {
        self.webhooks.as_ref().map(|webhooks| &webhooks.secrets)
    }

    /// For each backend a sentence.
    pub(crate) fn introductions(&self) -> Vec<String> {
        let all = self.here.all().iter().map(|backend| {
            let capabilities = backend.capabilities();
            let readiness = match backend.readiness() {
                Readiness::Ready => String::new(),
                Readiness::Starting { reason } => format!(" (starting: {reason})"),
                Readiness::Unavailable { failure } => format!(" (not available: {})", failure.message),
                Readiness::Absent { reason } => format!(" ({reason})"),
            };
            format!("{}: {}{readiness}", capabilities.name, capabilities.description)
        });
        all.collect()
    }

    /// Starts everything; all of it ends some time after `stopping` is set.
    pub(crate) fn start(
        mut self,
        settings: &Settings,
        data: &DataDir,
        doors: Doors,
        stopping: &CancellationToken,
    ) -> JoinSet<io::Result<()>> {
        let mut tasks = JoinSet::new();
        let (rests, told_to_rest) = watch::channel(false);
        if settings.role != Role::Api {
            let runner = self.runner(settings, data, &doors.keys).with_rests(told_to_rest);
            let token = stopping.clone();
            let trellis = self.trellis.clone();
            tasks.spawn(async move {
                runner.run(token).await;
                // After the last job: its workers have nothing left to do.
                for trellis in trellis {
                    trellis.shut_down().await;
                }
                Ok(())
            });
        }
        if let Some(cluster) = self.cluster.take() {
            tasks.spawn(self.announce(settings.role, cluster, rests, stopping.clone()));
        }
        if settings.role != Role::Worker {
            self.tidy_up(settings, stopping, &mut tasks);
            self.give_up(settings, data, stopping, &mut tasks);
        }
        let report = service_manager::report(self.registry.clone(), self.store.clone(), stopping.clone());
        tasks.spawn(async move {
            report.await;
            Ok(())
        });
        self.let_in(settings, doors, stopping, &mut tasks);
        if let Some(webhooks) = self.webhooks.filter(|_| settings.role != Role::Worker) {
            let delivering = webhooks.deliverer.run(stopping.clone());
            tasks.spawn(async move {
                delivering.await;
                Ok(())
            });
        }
        tasks
    }

    /// Says to the others that this server is there.
    fn announce(
        &self,
        role: Role,
        cluster: Cluster,
        rests: watch::Sender<bool>,
        stopping: CancellationToken,
    ) -> impl Future<Output = io::Result<()>> + use<> {
        let (here, origin) = (self.here.clone(), self.origin.clone());
        let abilities = self.abilities.clone();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let about = move |rests| About {
            role,
            rests,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: host.clone(),
            backends: here
                .all()
                .iter()
                .map(|backend| Offer::of(backend.as_ref(), &origin, &abilities))
                .collect(),
        };
        async move {
            cluster.run(about, rests, stopping).await;
            Ok(())
        }
    }

    /// Has what need not be kept removed.
    fn tidy_up(
        &self,
        settings: &Settings,
        stopping: &CancellationToken,
        tasks: &mut JoinSet<io::Result<()>>,
    ) {
        let janitor = Janitor {
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            retention: Retention {
                keep_jobs: Some(settings.retention.keep_jobs).filter(|jobs| *jobs > 0),
                keep_days: Some(settings.retention.keep_days).filter(|days| *days > 0),
                latent_bytes: settings.retention.latent_bytes,
                latent_hours: Some(settings.retention.latent_hours).filter(|hours| *hours > 0),
            },
            unknown: self.unknown,
        };
        let token = stopping.clone();
        let dockets = self.dockets.clone();
        tasks.spawn(async move {
            keeping::complete(&dockets).await;
            janitor.run(JANITOR, token).await;
            Ok(())
        });
    }

    /// Has jobs fail that no server could do for too long.
    fn give_up(
        &self,
        settings: &Settings,
        data: &DataDir,
        stopping: &CancellationToken,
        tasks: &mut JoinSet<io::Result<()>>,
    ) {
        let hours = |hours: u32| Some(Duration::from_secs(u64::from(hours) * 3600)).filter(|_| hours > 0);
        let patience = Patience {
            any: hours(settings.limits.no_server_hours),
            decoded: hours(settings.retention.latent_hours),
        };
        let watch = Watch::new(
            self.store.clone(),
            self.blobs.clone(),
            self.makers(settings),
            patience,
            &data.worker().0,
        );
        let token = stopping.clone();
        tasks.spawn(async move {
            watch.run(token).await;
            Ok(())
        });
    }

    /// Takes requests from now on.
    fn let_in(
        &self,
        settings: &Settings,
        doors: Doors,
        stopping: &CancellationToken,
        tasks: &mut JoinSet<io::Result<()>>,
    ) {
        let names = Names {
            // A Unix socket is reached by whatever address a proxy has.
            bound: doors
                .entrance
                .as_ref()
                .and_then(Entrance::host)
                .unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            certified: doors
                .certificates
                .as_ref()
                .map(Certificates::names)
                .unwrap_or_default(),
        };
        let state = self.app(settings, doors.keys, &names);
        if let Some(on) = doors.metrics {
            let stopped = stopping.clone().cancelled_owned();
            tasks.spawn(trellis_server::serve_metrics(on, state.clone(), stopped));
        }
        if let Some(on) = doors.projectorz {
            let stopped = stopping.clone().cancelled_owned();
            tasks.spawn(trellis_server::serve_projectorz(on, state.clone(), stopped));
        }
        let stopped = stopping.clone().cancelled_owned();
        let tls = doors.certificates.as_ref().map(Certificates::tls).cloned();
        if let Some(entrance) = doors.entrance {
            tasks.spawn(trellis_server::serve(entrance.with_tls(tls), state, stopped));
        }
        if let Some(certificates) = doors.certificates {
            let watching = certificates.watch(stopping.clone());
            tasks.spawn(async move {
                watching.await;
                Ok(())
            });
        }
    }

    fn runner(&self, settings: &Settings, data: &DataDir, keys: &KeyRing) -> Runner {
        let runner = RunnerSettings {
            worker: data.worker().clone(),
            lease: LEASE,
            heartbeat_every: HEARTBEAT,
            job_limit: Duration::from_secs(settings.limits.job_seconds),
            max_attempts: MAX_ATTEMPTS,
            drain_deadline: Duration::from_secs(settings.drain_seconds.into()),
            running_limits: keys.running_limits(),
            keep_latents: settings.retention.latent_bytes > 0,
            scratch: data.scratch(),
        };
        let registry = Registry::clone(&self.registry);
        let (store, blobs) = (self.store.clone(), self.blobs.clone());
        let runner = Runner::new(store, blobs, registry, self.origin.clone(), runner)
            .with_backends_here(self.here.clone());
        let abilities = self.abilities.clone();
        let runner = runner.with_abilities(Arc::new(move |backend| abilities.of(backend)));
        match &self.previews {
            Some(maker) => runner.with_previews(Arc::clone(maker)),
            None => runner,
        }
    }

    fn makers(&self, settings: &Settings) -> Arc<dyn Makers> {
        let all = LocalMakers {
            registry: self.registry.clone(),
            origin: self.origin.clone(),
        };
        let inner: Arc<dyn Makers> = match &self.roster {
            None => Arc::new(all),
            Some(roster) => Arc::new(ClusterMakers {
                all,
                here: self.here.clone(),
                roster: roster.clone(),
            }),
        };
        Arc::new(NeedingMakers {
            inner,
            servers: Servers {
                all: Registry::clone(&self.registry),
                here: Some(self.abilities.clone()),
                works: settings.role != Role::Api,
                roster: self.roster.clone(),
            },
            closure: settings.provenance.require_closure.clone(),
        })
    }

    fn app(&self, settings: &Settings, keys: KeyRing, names: &Names) -> AppState {
        let jobs = Jobs {
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            makers: self.makers(settings),
            defaults: settings.defaults(),
            limits: JobLimits {
                max_pixels: settings.limits.pixels,
                max_images: settings.limits.images_per_job as usize,
                queue_limit: settings.limits.queued_jobs,
                attempt_time: Duration::from_secs(settings.limits.job_seconds),
            },
            staging: Staging::new(settings.limits.body_bytes.saturating_mul(BODIES_COMING_IN)),
            heavy_work: HeavyWork::new(HEAVY_WORK_BYTES, HEAVY_WORK_PATIENCE),
        };
        let origins = settings.listen.allowed_origins.iter().map(String::as_str);
        let proxies = settings.listen.trusted_proxies.iter().map(String::as_str);
        let hosts = |bound| {
            // A certificate may have names that no host can have.
            let certified = names.certified.iter().map(String::as_str);
            let certified = certified.filter(|name| AllowedHosts::new(bound, [*name]).is_ok());
            let all = settings.listen.allowed_hosts.iter().map(String::as_str);
            AllowedHosts::new(bound, all.chain(certified)).expect("hosts were checked with the settings")
        };
        let metrics_bound = settings
            .metrics
            .listen
            .map_or(names.bound, |address| address.ip());
        let projectorz_bound = settings
            .compat
            .projectorz_listen
            .map_or(names.bound, |address| address.ip());
        AppState::new(AppParts {
            jobs,
            registry: self.registry.clone(),
            here: self.here.clone(),
            limits: HttpLimits {
                body_bytes: usize::try_from(settings.limits.body_bytes).unwrap_or(usize::MAX),
                connections: open_files::connections(settings.limits.connections as usize),
                ..HttpLimits::default()
            },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            keys,
            metrics: self.metrics.clone(),
            crossworld: settings.compat.crossworld,
            webhooks: self.webhooks.as_ref().map(|webhooks| webhooks.rules.clone()),
            preprocessing: HeavyWork::new(PREPROCESSING_BYTES, HEAVY_WORK_PATIENCE),
            gpus: Arc::new(gpus),
            allowed_hosts: hosts(names.bound),
            metrics_hosts: hosts(metrics_bound),
            projectorz_hosts: hosts(projectorz_bound),
            public_metrics: settings.metrics.public,
            trusted_proxies: TrustedProxies::new(proxies).expect("proxies were checked with the settings"),
            allowed_origins: AllowedOrigins::new(origins).expect("origins were checked with the settings"),
        })
    }
}

/// None where there is no driver.
fn gpus() -> Vec<Gpu> {
    trellis_gpu::list(&[]).map(|found| found.gpus).unwrap_or_default()
}
