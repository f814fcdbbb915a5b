//! That each query of a hub's data compiles with a scope and does not without one. Only the
//! documentation tests see this module.

macro_rules! needs_a_scope {
    ($($query:literal),* $(,)?) => {
        $(
            #[doc = concat!(
                "With a scope:\n\n```\n# use store::*;\n",
                "async fn ask(view: &Scoped<'_>) -> Result<(), StoreError> {\n    view.",
                $query,
                ".await.map(drop)\n}\n```\n\nWithout:\n\n```compile_fail,E0599\n# use store::*;\n",
                "async fn ask(view: &Reader) -> Result<(), StoreError> {\n    view.",
                $query,
                ".await.map(drop)\n}\n```\n"
            )]
        )*
        pub struct Proof;
    };
}

needs_a_scope!(
    "members()",
    "profiles()",
    "roles()",
    "roster(0)",
    "my_hub_keys()",
    "records(&RecordFilter::default())",
    "record(RecordId([1; 16]))",
    "search([Token { field: 1, word: [1; 16] }; 8], None, 1)",
    "tombstone(RecordId([1; 16]))",
    "settings()",
    "invites(InviteFilter::default())",
    "invite_named([1; 16])",
    "open_invites(jiff::Timestamp::UNIX_EPOCH)",
    "was_invited(UserId([1; 16]))",
    "attachment(RecordId([1; 16]))",
    "attachments_of(RecordId([1; 16]))",
    "erased_with(RecordId([1; 16]))",
    "attachment_bytes(RecordId([1; 16]), 0, 1)",
    "calls(&CallFilter::default())",
    "people_rung(1, 2)",
    "reports(1, 2)",
    "is_reported(1)",
    "call(1)",
    "caller_of(1)",
    "voicemails(VoicemailFilter::default())",
    "voicemail(1)",
    "voicemails_of(CallerHash([1; 32]))",
    "my_voicemail(1, 2)",
    "bans(BanFilter::default())",
    "shifts()",
    "groups()",
    "phone_accounts()",
    "audit(0, 1)",
    "verify_audit(|_, _| [0; 32], None)",
);
