//! Deaths of the server are not blamed on the jobs that it was working on.

use serde_json::Value;

use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

/// As often as a job may be lost alone.
const DEATHS: u32 = 3;

#[tokio::test]
async fn three_deaths_with_several_jobs_at_work_fail_none_of_them() {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        println!("skipped: on one core one job is at work at a time");
        return;
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let picture = picture::png(5000, 9);
    let mut ids = Vec::new();
    for death in 0..DEATHS {
        let server = Server::start(home.path(), &[]);
        let client = Client::new(&server.address);
        while ids.len() < 3 {
            let key = ids.len().to_string();
            ids.push(client.accepted(picture.clone(), &key).await);
        }
        // After the first death each has its turn alone.
        let at_work = if death == 0 { 2 } else { 1 };
        let running = "jobs?state=running";
        let are_running = |list: &Value| list["jobs"].as_array().is_some_and(|jobs| jobs.len() >= at_work);
        client.until(running, are_running).await;
        server.kill();
    }
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let mut attempts = Vec::new();
    for id in &ids {
        let job = client.finished(id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        attempts.push(job["attempt"].to_string());
    }
    println!("{DEATHS} deaths, attempts of the jobs: {}", attempts.join(", "));
}
