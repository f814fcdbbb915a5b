//! The same promises, kept by both engines.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attachment;
mod audit;
mod backup;
mod database;
mod engines;
mod erase;
mod exchange;
#[path = "../folder/mod.rs"]
mod folder;
mod login;
mod plan;
mod record;
mod report;
mod upgrade;
mod vault;

macro_rules! on_both_engines {
    ($($module:ident :: $test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                crate::$module::$test(crate::database::Database::sqlite()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                crate::$module::$test(crate::database::Database::postgres().await).await;
            })*
        }
    };
}

on_both_engines! {
    engines::two_servers_cannot_share_a_database,
    engines::a_listing_before_the_first_start_says_that_there_is_nothing,
    engines::opening_again_changes_no_schema,
    exchange::everything_is_there_after_reopening,
    exchange::a_commit_is_kept_whole_or_not_at_all,
    exchange::a_repeated_commit_changes_nothing,
    exchange::calls_come_in_pages_and_by_hub,
    exchange::messages_come_in_pages,
    exchange::bans_come_in_pages,
    exchange::calls_that_a_crash_cut_off_end_as_failed,
    exchange::the_trail_tells_of_calls_that_a_crash_cut_off,
    exchange::call_ids_are_never_given_twice,
    exchange::a_listing_can_be_read_beside_the_server,
    backup::a_backup_comes_back_on_either_engine,
    backup::a_backup_is_of_one_moment,
    backup::a_damaged_backup_is_refused_and_leaves_nothing,
    backup::a_full_database_takes_in_no_backup,
    backup::the_copied_tables_are_all_there_are,
    vault::people_and_hubs_are_read_back,
    vault::who_is_not_a_member_sees_nothing,
    vault::chains_take_only_their_next_link,
    vault::who_is_shut_out_is_logged_out,
    vault::somebody_always_runs_the_installation,
    vault::a_share_goes_with_its_device,
    vault::an_invitation_is_used_once,
    vault::invitations_come_in_pages,
    vault::one_asks_about_invitations_of_ones_hub,
    vault::a_removed_member_gets_no_keys,
    record::a_role_decides_which_records_are_seen,
    record::a_private_record_is_for_its_author,
    record::a_record_takes_only_its_next_revision,
    record::words_find_records_of_their_hub_only,
    record::a_message_is_for_its_readers,
    report::a_call_is_for_those_to_report_who_had_the_caller,
    report::the_first_report_of_a_call_stays,
    report::a_crash_takes_nobody_the_call_that_they_had,
    login::a_session_goes_on_with_new_tokens,
    login::a_token_shown_twice_ends_its_session,
    login::looking_at_a_locked_device_is_no_use,
    login::a_device_has_a_limited_number_of_sessions,
    login::sessions_end_one_by_one_or_all_at_once,
    login::passkeys_are_kept_and_copies_noticed,
    login::the_ways_back_in_are_each_used_once,
    login::the_first_admin_comes_in_once,
    plan::a_new_file_replaces_the_plan_and_keeps_who_is_who,
    plan::the_plan_is_for_those_who_work_with_it,
    plan::settings_take_only_their_next_revision,
    attachment::a_file_comes_in_order_and_is_read_in_pieces,
    attachment::a_file_is_shown_to_whom_its_record_is,
    attachment::uploads_are_limited_and_given_up,
    attachment::an_erased_record_takes_its_files_along,
    audit::the_trail_is_kept_with_the_change_it_tells_of,
    audit::a_changed_trail_is_noticed,
    audit::a_trail_that_grows_and_expires_meanwhile_is_whole,
    audit::what_is_left_of_an_expired_trail_verifies,
    audit::what_is_said_to_have_expired_must_be_told,
    audit::a_trail_that_was_emptied_is_noticed,
    audit::an_entry_that_cannot_be_read_is_listed_as_such,
    audit::all_trails_let_go_of_their_old_part_and_tell,
    erase::an_erased_caller_is_in_no_call,
    erase::the_messages_of_an_erased_caller_are_deleted,
    erase::a_caller_who_is_erased_while_calling_stays_so,
    erase::an_erased_record_leaves_a_tombstone,
    erase::an_erased_person_cannot_come_back,
    erase::who_is_erased_during_their_call_stays_so,
    erase::who_was_rung_and_is_erased_during_the_call_stays_so,
    erase::what_only_an_erased_person_could_open_goes_with_them,
    erase::an_erased_person_is_no_member_again,
    upgrade::every_earlier_schema_is_brought_up_to_date,
}
