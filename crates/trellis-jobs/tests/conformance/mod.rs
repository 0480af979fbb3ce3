//! What every job store and every blob store does, whatever it is made of: tests for the tests of a store.
//!
//! A store has a [`Fixture`] and calls [`crate::job_store_conformance!`] with it once; a blob store has a
//! [`BlobFixture`] and calls [`crate::blob_store_conformance!`].

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test may stop where it cannot go on"
)]

use std::sync::Arc;

use crate::{BlobStore, JobStore};

pub mod blobs;
pub mod edits;
pub mod forgetful;
pub mod kit;
pub mod life;
pub mod model;
pub mod needs;
pub mod outbox;
pub mod owners;
pub mod priorities;
pub mod reads;
pub mod twins;

/// An empty store, which goes when this is dropped.
#[async_trait::async_trait]
pub trait Fixture: Sized + Send + Sync {
    /// Makes one.
    async fn new() -> Self;

    /// The store.
    fn store(&self) -> Arc<dyn JobStore>;

    /// The same store as another process would open it.
    async fn opened_again(&self) -> Arc<dyn JobStore>;

    /// What is not on this machine and the store cannot be made without. The tests are then skipped and say so.
    fn missing() -> Option<String> {
        None
    }
}

/// Whether the tests of this store are skipped; says so.
pub fn skipped<F: Fixture>() -> bool {
    says_so(F::missing().as_deref())
}

/// Whether the tests of this blob store are skipped; says so.
pub fn blobs_skipped<F: BlobFixture>() -> bool {
    says_so(F::missing().as_deref())
}

fn says_so(missing: Option<&str>) -> bool {
    if let Some(missing) = missing {
        // As every test of the project says it.
        #[expect(clippy::print_stdout, reason = "it is the output of a test")]
        {
            println!("skipped: {missing}");
        }
    }
    missing.is_some()
}

/// An empty blob store, which goes when this is dropped.
#[async_trait::async_trait]
pub trait BlobFixture: Sized + Send + Sync {
    /// Makes one.
    async fn new() -> Self;

    /// The store.
    fn blobs(&self) -> Arc<dyn BlobStore>;

    /// What is not on this machine and the store cannot be made without. The tests are then skipped and say so.
    fn missing() -> Option<String> {
        None
    }
}

/// Makes a test of every check of a blob store, in the place where it is called.
#[macro_export]
macro_rules! blob_store_conformance {
    ($fixture:ty) => {
        $crate::blob_store_conformance! {
            @each blobs $fixture:
            what_is_put_is_read_until_it_is_deleted,
            a_staged_blob_is_there_once_it_is_kept,
            a_staged_blob_that_is_dropped_was_never_there,
            blobs_are_staged_side_by_side,
            a_part_is_read_and_a_blob_that_is_too_short_says_so,
            a_large_file_is_taken_over_and_a_missing_one_changes_nothing,
            a_job_s_files_are_found_and_removed_and_no_others,
            removing_what_is_gone_is_no_error,
            refuses_a_key_that_leads_elsewhere,
            an_identity_is_kept_and_is_no_job_s,
        }
    };
    (@each $module:ident $fixture:ty: $($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                if !$crate::conformance::blobs_skipped::<$fixture>() {
                    $crate::conformance::$module::$name::<$fixture>().await;
                }
            }
        )*
    };
}

/// Makes a test of every check, in the place where it is called.
#[macro_export]
macro_rules! job_store_conformance {
    ($fixture:ty) => {
        $crate::job_store_conformance! {
            @each outbox $fixture:
            a_job_s_end_waits_until_it_was_delivered,
            a_claimed_delivery_is_nobody_else_s_until_its_claim_lapses,
            hosts_that_are_passed_over_keep_their_turn,
            a_webhook_is_told_what_it_asked_for_and_of_progress_the_newest,
            what_is_given_up_is_said_of_the_job,
            a_delivery_outlives_its_job,
            deliveries_wake_those_who_wait_for_them,
        }
        $crate::job_store_conformance! {
            @each life $fixture:
            a_job_goes_from_queue_to_result,
            the_oldest_fitting_job_is_claimed_once,
            claims_at_the_same_time_never_share_a_job,
            submissions_at_the_same_time_with_one_key_make_one_job,
            a_job_keeps_the_trace_that_it_belongs_to,
            a_lapsed_lease_is_taken_back_and_given_up_after_three,
            a_success_that_is_told_again_is_the_same_success,
            a_server_that_dies_with_several_jobs_is_charged_to_none_of_them,
            a_heartbeat_keeps_the_lease,
            a_restarted_worker_gets_its_jobs_back_at_once_and_no_other,
            handing_back_does_not_use_up_attempts,
            cancelling_a_running_job_ends_its_lease,
            only_a_finished_job_can_be_deleted,
            a_client_s_last_word_cancels_a_live_job_and_deletes_a_finished_one,
            an_idempotency_key_answers_with_the_first_job,
            an_idempotency_key_is_its_owner_s_own,
        }
        $crate::job_store_conformance! {
            @each reads $fixture:
            a_list_holds_what_its_owner_sees,
            pages_hold_every_job_once_even_when_the_cursor_is_deleted,
            a_result_is_found_by_its_key_and_owner_the_newest_first,
            a_recalled_job_is_done_at_once_and_tells_so,
            events_resume_and_are_thinned_when_the_job_ends,
            the_feed_tells_of_all_jobs_in_order,
            what_expires_is_finished_and_goes_by_its_end,
            memos_and_deleted_jobs_are_remembered_until_they_need_not_be,
            jobs_are_counted_by_state,
            changes_wake_those_who_wait_for_them_and_nobody_else,
            changes_of_another_process_wake_too,
        }
        $crate::job_store_conformance! {
            @each owners $fixture:
            owners_take_turns_whatever_each_of_them_submitted,
            jobs_of_two_models_are_claimed_by_what_runs_them,
            each_queue_has_turns_of_its_own_and_a_job_that_waits_again_goes_first,
            no_owner_waits_for_more_claims_than_there_are_owners,
            an_owner_with_as_many_running_jobs_as_it_may_have_is_passed_over,
            an_owner_s_limits_count_what_waits_and_what_is_kept,
            who_sees_all_jobs_lists_them_with_their_owners_and_may_end_them,
        }

        $crate::job_store_conformance! {
            @each priorities $fixture:
            a_job_keeps_its_priority,
            the_more_urgent_job_of_an_owner_goes_first_and_the_older_of_two_alike,
            owners_take_turns_whatever_the_priorities_of_their_jobs,
            a_job_that_was_passed_over_three_times_goes_next,
            every_job_is_claimed_within_a_bound,
        }
        $crate::job_store_conformance! {
            @each edits $fixture:
            a_job_of_any_state_is_renamed_and_tells_so,
            what_was_sampled_is_listed_counted_and_dropped,
            jobs_are_found_by_a_part_of_their_name,
            a_thumbnail_takes_the_place_of_another,
        }

        $crate::job_store_conformance! {
            @each needs $fixture:
            a_job_is_left_to_whoever_has_what_it_needs,
            a_job_that_waits_again_still_needs_what_it_needed,
            jobs_that_wait_are_found_by_their_kind_and_given_up,
        }

        #[test]
        fn no_job_is_claimed_by_what_cannot_do_it_and_none_waits_while_it_could_be_done() {
            if !$crate::conformance::skipped::<$fixture>() {
                $crate::conformance::needs::check::<$fixture>();
            }
        }

        #[test]
        fn the_store_does_what_the_model_says() {
            if !$crate::conformance::skipped::<$fixture>() {
                $crate::conformance::model::check::<$fixture>();
            }
        }
    };
    (@each $module:ident $fixture:ty: $($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                if !$crate::conformance::skipped::<$fixture>() {
                    $crate::conformance::$module::$name::<$fixture>().await;
                }
            }
        )*
    };
}
