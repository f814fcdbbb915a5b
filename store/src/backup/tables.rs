//! The tables by name, so that they can be copied without knowing what they mean.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
}

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How many of the columns, from the first, are the primary key.
    pub(crate) key: usize,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

macro_rules! tables {
    ($($name:ident [$key:literal] { $($column:ident $kind:ident),* })*) => {
        &[$(Table {
            name: stringify!($name),
            key: $key,
            columns: &[$((stringify!($column), Kind::$kind)),*],
        }),*]
    };
}

/// All tables but that of the migrations; one that refers to another comes after it.
pub(crate) const TABLES: &[Table] = tables! {
    counter [1] { name Text, value Int }
    key_mark [1] { key Text, mark Bytes }
    binding [1] {
        id Int, account Text, contact Text, instance Text, reg_id Int, path Text, transport Text,
        local Text, remote Text, call_id Text, cseq Int, expires_at Int, user_agent Text
    }
    hotline [1] { revision Int, hash Text, body Text, applied_at Int }
    ban [2] { hub Text, caller Bytes, created_at Int, expires_at Int, reason Text }
    volunteer_break [1] { volunteer Text, since Int }
    hub [1] { id Bytes, name Text, created_at Int }
    person [1] { id Bytes, profile Bytes, status Text, super_admin Int, created_at Int }
    call [1] {
        id Int, hub Text, trunk Text, caller Bytes, started_at Int, ended_at Int, until_ring Int,
        wait Int, talk Int, answered_by Text, recording Int, message Int, outcome Text,
        reason Text, caller_sealed Bytes, reported_at Int, reported_by Bytes
    }
    call_rung [2] { call Int, position Int, volunteer Text, rang Int, answered Int }
    voicemail [1] {
        recording Int, hub Text, path Text, created_at Int, message Int, complete Int, header Bytes,
        heard_at Int, heard_by Bytes
    }
    device [1] { id Bytes, person Bytes, sign_key Bytes, added_at Int, revoked_at Int }
    sigchain_link [2] { person Bytes, seqno Int, body Bytes }
    roster_link [2] { hub Bytes, seqno Int, body Bytes }
    hub_role [2] { hub Bytes, id Bytes, name Bytes, permissions Int }
    membership [2] { hub Bytes, person Bytes, role Text, own_role Bytes, since Int }
    hub_key [2] { hub Bytes, epoch Int, body Bytes, created_at Int }
    hub_key_wrap [3] { hub Bytes, epoch Int, person Bytes, wrap Bytes }
    vault_share [1] { vault Bytes, person Bytes, body Bytes, device Bytes }
    record [3] {
        hub Bytes, id Bytes, revision Int, kind Int, parent Bytes, author Bytes, call Int,
        header Bytes, body Bytes, manifest_revision Int, manifest Bytes, created_at Int,
        visibility Int
    }
    record_token [4] { hub Bytes, field Int, token Bytes, record Bytes }
    tombstone [2] { hub Bytes, record Bytes, body Bytes, erased_at Int }
    voicemail_reader [2] { recording Int, person Bytes, wrap Bytes }
    invite [1] {
        code Bytes, hub Bytes, role Text, own_role Bytes, invited_by Bytes, created_at Int,
        expires_at Int, used_at Int, used_by Bytes, voucher Bytes
    }
    shift [2] {
        hub Text, position Int, name Text, days Int, from_minute Int, to_minute Int
    }
    shift_member [4] { hub Text, shift Int, kind Text, name Text }
    ring_group [3] { hub Text, kind Text, name Text }
    ring_group_member [4] { hub Text, kind Text, name Text, volunteer Text }
    phone_account [1] { volunteer Text, person Bytes, in_file Int }
    session [1] {
        id Bytes, person Bytes, device Bytes, sign_key Bytes, created_at Int, seen_at Int,
        access Bytes, access_expires_at Int, refresh Bytes, refresh_expires_at Int, view_key Bytes
    }
    session_spent [1] { refresh Bytes, session Bytes, expires_at Int }
    passkey [1] {
        credential Bytes, person Bytes, device Bytes, body Bytes, name Bytes, counter Int,
        created_at Int, used_at Int
    }
    recovery_escrow [1] { person Bytes, body Bytes, set_at Int, device Bytes }
    backup_code [2] { person Bytes, verifier Bytes, escrow Bytes, set_at Int, used_at Int }
    items_key [2] { person Bytes, generation Int, body Bytes }
    bootstrap [1] {
        one Int, code Bytes, created_at Int, expires_at Int, used_at Int, used_by Bytes
    }
    hub_setting [2] {
        hub Bytes, topic Int, revision Int, body Bytes, author Bytes, changed_at Int
    }
    attachment [2] {
        hub Bytes, record Bytes, attached_to Bytes, author Bytes, size Int, complete Int,
        created_at Int
    }
    attachment_chunk [3] { hub Bytes, record Bytes, position Int, body Bytes }
    audit_head [1] { chain Bytes, seqno Int, hash Bytes }
    audit [2] {
        chain Bytes, seqno Int, at Int, kind Int, actor Bytes, subject_kind Int, subject Bytes,
        hash Bytes
    }
    audit_segment [2] { chain Bytes, last Int, hash Bytes, last_at Int, expired_at Int }
    log_leaf [1] { position Int, body Bytes }
    log_checkpoint [1] { size Int, body Text }
};

/// What a backup leaves out: a restored server must not let in who was shut out since.
pub(super) const LEFT_OUT: &[&str] = &["session", "session_spent"];

impl Table {
    /// `a, b, c`
    pub(super) fn names(&self, count: usize) -> String {
        let names: Vec<_> = self.columns[..count]
            .iter()
            .map(|(name, _)| *name)
            .collect();
        names.join(", ")
    }

    /// The rows in the order of the key, a page at a time.
    pub(super) fn page_sql(&self, after_a_key: bool, limit: usize) -> String {
        let all = self.names(self.columns.len());
        let key = self.names(self.key);
        let beyond = if after_a_key {
            format!("WHERE ({key}) > ({}) ", placeholders(self.key))
        } else {
            String::new()
        };
        format!(
            "SELECT {all} FROM {} {beyond}ORDER BY {key} LIMIT {limit}",
            self.name
        )
    }
}

/// `$1, $2, $3`
pub(super) fn placeholders(count: usize) -> String {
    let all: Vec<_> = (1..=count).map(|number| format!("${number}")).collect();
    all.join(", ")
}
