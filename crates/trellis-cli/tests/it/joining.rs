//! Servers that come to a job store one by one: what waits for whom.

use serde_json::json;
use trellis_models::lock::LOCK_FILE;

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::{fake, picture};
use crate::rack::{Rack, borrowed};

/// The one that takes requests is often the first to be started.
#[tokio::test]
async fn what_is_sent_before_any_server_works_waits_for_the_one_that_comes() {
    let Some(rack) = Rack::new() else { return };
    let (_api, api) = rack.api("api");
    let mut jobs = Vec::new();
    for (backend, params) in [
        ("auto", json!({})),
        ("trellis", json!({})),
        ("relief", json!({})),
        ("auto", json!({"model": "trellis2-4b"})),
    ] {
        let (status, job) = api.submit_for(backend, picture::png(64, 48), &params).await;
        assert_eq!((status.as_u16(), &job["state"]), (202, &json!("queued")), "{job}");
        jobs.push(job["id"].as_str().expect("an id").to_owned());
    }
    // No server can do that, whichever comes.
    let splats = json!({"formats": ["gaussian_ply"]});
    let (status, problem) = api.submit_for("relief", picture::png(64, 48), &splats).await;
    assert_eq!(status.as_u16(), 422, "{problem}");
    let status = api.look("status").await;
    let backends = status["backends"].as_array().expect("a list");
    let first = backends.iter().find(|backend| backend["name"] == "trellis");
    let first = first.expect("it is listed although it is nowhere");
    assert_eq!(
        first["reason"],
        "no server of this job store runs `trellis-image-large` now"
    );
    assert!(
        first["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("its jobs wait")),
        "{first}"
    );

    // Each of them says so, and so does the list of servers.
    for (id, lacks) in [
        (
            &jobs[1],
            "no server of this job store runs `trellis-image-large` now",
        ),
        (
            &jobs[2],
            "no server of this job store has the backend `relief` now",
        ),
        (&jobs[3], "no server of this job store runs `trellis2-4b` now"),
    ] {
        let waits_for = &api.job(id).await["waits_for"];
        assert_eq!(
            (&waits_for["kind"], &waits_for["message"]),
            (&json!("no_server"), &json!(lacks))
        );
        let list = api.look("jobs?state=queued").await;
        let mut listed = list["jobs"].as_array().expect("a list").iter();
        let listed = listed.find(|job| job["id"] == **id).expect("it is listed");
        assert_eq!(&listed["waits_for"], waits_for);
        let told = rack.told();
        assert!(
            told.contains(&format!("jobs wait: {lacks}\n  hint: start a server")),
            "{told}"
        );
    }

    let _gpu = rack.gpu("gpu", &json!([]));
    for (id, made_by) in [(&jobs[0], "trellis"), (&jobs[1], "trellis"), (&jobs[2], "relief")] {
        assert_eq!(api.finished(id).await["made_by"], made_by);
    }
    // The preview does not stand in for a model that is nowhere.
    let waiting = api.job(&jobs[3]).await;
    assert_eq!(waiting["state"], "queued");
    assert_eq!(waiting["waits_for"]["kind"], "no_server");
    let told = rack.told();
    assert_eq!(told.matches("jobs wait: ").count(), 1, "{told}");
    assert!(told.contains("  trellis (trellis-image-large): "), "{told}");
    let mut flags = rack.flags("worker");
    flags.extend(fake::trellis2(&rack.home("gpu-2")));
    flags.extend(["--warm-up=false", "--default-quality=exact"].map(str::to_owned));
    let _second = Server::launch(&rack.home("gpu-2"), &borrowed(&flags));
    assert_eq!(api.finished(&jobs[3]).await["made_by"], "trellis2");
}

/// What one model sampled means nothing to another.
#[tokio::test]
async fn what_was_sampled_is_decoded_by_the_server_whose_model_sampled_it() {
    let Some(rack) = Rack::new() else { return };
    let (_api, api) = rack.api("api");
    let start = |name: &str| {
        let home = rack.home(name);
        let model = fake::model(&home, &json!([]));
        std::fs::write(model.join(LOCK_FILE), name).expect("the folder is there");
        let mut flags = rack.flags("worker");
        flags.extend(fake::flags(&model, 1));
        Server::launch(&home, &borrowed(&flags))
    };
    let sampler = start("sampler");
    rack.wait_for("sampler", "trellis", "ready");
    let id = api.for_trellis(picture::png(64, 48), &json!({"seed": 7})).await;
    let first = api.finished(&id).await;
    assert_eq!(first["state"], "succeeded", "{first}");

    // The export is accepted while the one that can decode it is known, and nobody else's from then on.
    let (_other, wish) = (start("other"), json!({"formats": ["glb"], "texture_size": 2048}));
    rack.wait_for("other", "trellis", "ready");
    sampler.kill();
    let (status, job) = api.export(&id, &wish).await;
    assert_eq!(status, 202, "{job}");
    let export = job["id"].as_str().expect("an id");
    // Its turn has come and gone once a later job is done.
    let later = api.for_trellis(picture::png(64, 50), &json!({"seed": 8})).await;
    assert_eq!(api.finished(&later).await["state"], "succeeded");
    assert_eq!(api.job(export).await["state"], "queued");

    let home = rack.home("sampler");
    let mut flags = rack.flags("worker");
    flags.extend(fake::flags(&home.join("model"), 1));
    let _sampler = Server::launch(&home, &borrowed(&flags));
    let made = api.finished(export).await;
    assert_eq!(made["state"], "succeeded", "{made}");
    assert!(is_glb(&api.artifact(export, "model.glb").await));
}
