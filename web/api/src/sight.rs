//! Which records of a hub somebody is shown.

use store::{Permissions, RecordId, RecordRow, Scoped, UserId};

use crate::call::Call;
use crate::chains::person;
use crate::refusal::Refusal;
use crate::sealed::front_of;

/// What the caller is shown of what the store returns. Admins see every record that is not
/// private, so that they can let others read; whoever else may read all records sees those that
/// are sealed to them; everybody sees what they wrote.
pub(crate) struct Sight {
    user: UserId,
    everything: bool,
}

impl Sight {
    pub(crate) async fn of(call: &Call, scope: &Scoped<'_>) -> Result<Self, Refusal> {
        let user = call.caller()?.user;
        let roster = call.shared.roster(scope).await?;
        let role = roster.and_then(|roster| roster.state().role_of(person(user)).copied());
        Ok(Self {
            user,
            everything: role.is_some_and(|role| role.flags.admin),
        })
    }

    /// Whether a row that the store showed is shown on.
    pub(crate) fn shows(&self, row: &RecordRow) -> Result<bool, Refusal> {
        if self.everything || row.author == Some(self.user) {
            return Ok(true);
        }
        let front = front_of(row)?;
        let user = person(self.user);
        Ok(front.is_some_and(|front| front.manifest().entry(user).is_some()))
    }

    /// Whether the newest revision of a record is shown.
    pub(crate) async fn shows_record(
        &self,
        scope: &Scoped<'_>,
        record: RecordId,
    ) -> Result<bool, Refusal> {
        if self.everything || !scope.permissions().has(Permissions::READ_RECORDS) {
            return Ok(true);
        }
        match scope.record(record).await?.last() {
            Some(row) => self.shows(row),
            None => Ok(false),
        }
    }
}
