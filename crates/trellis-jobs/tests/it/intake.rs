//! What comes in part by part, and what is left of it when it does not come to its end.

use bytes::Bytes;
use trellis_core::{AssetName, Sha256};
use trellis_jobs::{Asked, BlobKey, BlobStore, Intake, Jobs, Staging, SubmitError, Terms};

use crate::kit::{Place, picture};

/// The files below the blobs' folder, once what is being removed is gone.
async fn files(place: &Place, expected: usize) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..200 {
        found.clear();
        let mut folders = vec![place.folder.path().join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.file_name().into_string().unwrap());
                }
            }
        }
        if found.len() == expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    found
}

/// Sends `bytes` in parts of 7.
async fn sent(intake: &mut Intake, bytes: &Bytes, name: &str) -> Result<(), SubmitError> {
    let mut arriving = intake.picture(AssetName::of_file(name)).await?;
    for at in (0..bytes.len()).step_by(7) {
        let part = bytes.slice(at..bytes.len().min(at + 7));
        arriving.write(part).await?;
    }
    intake.take(arriving).await
}

#[tokio::test]
async fn pictures_that_come_in_parts_are_the_job_s() {
    let place = Place::new();
    let jobs = place.jobs();
    let mut intake = jobs.intake();
    let id = intake.id();
    let (chair, table) = (picture(4), picture(9));
    sent(&mut intake, &chair, "chair.png").await.unwrap();
    sent(&mut intake, &table, "table.png").await.unwrap();
    assert!(
        place.blobs.get(&BlobKey::input(id, 0)).await.is_err(),
        "nothing has its name before the job is accepted"
    );
    let job = jobs
        .submit(intake, Asked::default(), Terms::default())
        .await
        .unwrap()
        .job;
    assert_eq!(job.id, id);
    for (index, (input, bytes)) in job.inputs.iter().zip([chair, table]).enumerate() {
        assert_eq!(input.sha256, Sha256::of(&bytes));
        assert_eq!(input.size_bytes, bytes.len() as u64);
        let key = BlobKey::input(id, u32::try_from(index).unwrap());
        assert_eq!(place.blobs.get(&key).await.unwrap(), bytes);
    }
    assert_eq!(job.inputs[0].name, AssetName::of_file("chair.png"));
    assert_eq!(job.inputs[1].name, None);
    assert_eq!(jobs.staging.held_bytes(), 0);
    assert_eq!(files(&place, 2).await.len(), 2);
}

#[tokio::test]
async fn pictures_keep_their_order_though_the_second_is_here_first() {
    let place = Place::new();
    let jobs = place.jobs();
    let mut intake = jobs.intake();
    let mut first = intake.picture(None).await.unwrap();
    intake.add(picture(9), None).await.unwrap();
    first.write(picture(4)).await.unwrap();
    intake.take(first).await.unwrap();
    let submitted = jobs.submit(intake, Asked::default(), Terms::default()).await;
    let job = submitted.unwrap().job;
    let pixels = [&job.inputs[0], &job.inputs[1]].map(|input| input.file.pixels());
    assert_eq!(pixels, [16, 81]);
    let second = place.blobs.get(&BlobKey::input(job.id, 1)).await.unwrap();
    assert_eq!(second, picture(9));
}

#[tokio::test]
async fn an_intake_that_is_dropped_leaves_nothing() {
    let place = Place::new();
    let jobs = place.jobs();
    let mut intake = jobs.intake();
    intake.add(picture(4), None).await.unwrap();
    let mut half = intake.picture(None).await.unwrap();
    half.write(picture(9).slice(..20)).await.unwrap();
    let mut body = intake.spool().await.unwrap();
    body.write(Bytes::from_static(b"{")).await.unwrap();
    assert_eq!(files(&place, 3).await.len(), 3);
    assert!(jobs.staging.held_bytes() > 20);
    drop((intake, half, body));
    assert_eq!(files(&place, 0).await, [""; 0]);
    assert_eq!(jobs.staging.held_bytes(), 0);
}

#[tokio::test]
async fn the_first_wrong_picture_is_refused() {
    let place = Place::new();
    let jobs = place.jobs();
    let mut intake = jobs.intake();
    for _ in 0..3 {
        intake.add(picture(4), None).await.unwrap();
    }
    let one_more = intake.picture(None).await.err().unwrap();
    assert_eq!(one_more.kind(), "too_many_pictures");
    drop(intake);
    let mut intake = jobs.intake();
    let text = Bytes::from_static(b"no picture");
    assert_eq!(intake.add(text, None).await.unwrap_err().kind(), "picture_format");
    assert!(intake.add(picture(4), None).await.is_ok());
}

/// A service with room for 1,000 bytes.
fn small(place: &Place) -> Jobs {
    Jobs {
        staging: Staging::new(1_000),
        ..place.jobs()
    }
}

#[tokio::test]
async fn who_began_first_and_does_not_finish_makes_room() {
    let place = Place::new();
    let jobs = small(&place);
    let mut slow = jobs.intake();
    let mut arriving = slow.picture(None).await.unwrap();
    arriving.write(Bytes::from(vec![0; 990])).await.unwrap();
    let displaced = slow.displaced();
    let mut quick = jobs.intake();
    quick.add(picture(4), None).await.unwrap();
    displaced.cancelled().await;
    let refused = arriving.write(Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(refused.kind(), "server_busy");
    drop((slow, arriving));
    jobs.submit(quick, Asked::default(), Terms::default())
        .await
        .unwrap();
    assert_eq!(files(&place, 1).await.len(), 1);
    let too_large = jobs.intake().add(Bytes::from(vec![0; 1_001]), None).await;
    assert_eq!(too_large.unwrap_err().kind(), "server_busy");
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_finds_no_turn_is_refused_in_time() {
    let place = Place::new();
    let jobs = place.jobs();
    let _all = jobs.heavy_work.turn(u64::MAX).await.unwrap();
    let refused = jobs.intake().add(picture(4), None).await.unwrap_err();
    assert_eq!(refused.kind(), "server_busy");
}
