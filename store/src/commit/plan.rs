//! The plan of the hotline file.

use super::Refused;
use super::vault::expect;
use crate::engine::{Transaction, args};
use crate::id::UserId;
use crate::plan::{GroupRow, HotlinePlan, ShiftRow};

/// Replaces shifts and groups; keeps who is which person.
pub(super) async fn replace(db: &mut Transaction, plan: &HotlinePlan) -> Result<(), Refused> {
    for sql in [
        "DELETE FROM shift",
        "DELETE FROM ring_group",
        "UPDATE phone_account SET in_file = 0",
    ] {
        db.execute(sql, &[]).await?;
    }
    for hub in &plan.hubs {
        for (position, shift) in (1_i64..).zip(&hub.shifts) {
            add_shift(db, &hub.hub, position, shift).await?;
        }
        for group in &hub.groups {
            add_group(db, &hub.hub, group).await?;
        }
    }
    for volunteer in &plan.volunteers {
        let sql = "INSERT INTO phone_account (volunteer, in_file) VALUES ($1, 1) \
                   ON CONFLICT (volunteer) DO UPDATE SET in_file = 1";
        db.execute(sql, args![volunteer]).await?;
    }
    let sql = "DELETE FROM phone_account WHERE in_file = 0 AND person IS NULL";
    db.execute(sql, &[]).await?;
    Ok(())
}

async fn add_shift(
    db: &mut Transaction,
    hub: &str,
    position: i64,
    shift: &ShiftRow,
) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO shift (hub, position, name, days, from_minute, to_minute) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![
            hub,
            position,
            &shift.name,
            i64::from(shift.days),
            i64::from(shift.from_minute),
            i64::from(shift.to_minute)
        ],
    )
    .await?;
    for (kind, names) in [("volunteer", &shift.volunteers), ("group", &shift.groups)] {
        for name in names {
            let sql = "INSERT INTO shift_member (hub, shift, kind, name) VALUES ($1, $2, $3, $4)";
            db.execute(sql, args![hub, position, kind, name]).await?;
        }
    }
    Ok(())
}

async fn add_group(db: &mut Transaction, hub: &str, group: &GroupRow) -> Result<(), Refused> {
    let (hub, kind, name) = (hub.into(), group.kind.arg(), (&group.name).into());
    let sql = "INSERT INTO ring_group (hub, kind, name) VALUES ($1, $2, $3)";
    db.execute(sql, &[hub, kind, name]).await?;
    for volunteer in &group.volunteers {
        let sql = "INSERT INTO ring_group_member (hub, kind, name, volunteer) \
                   VALUES ($1, $2, $3, $4)";
        db.execute(sql, &[hub, kind, name, volunteer.into()])
            .await?;
    }
    Ok(())
}

pub(super) async fn link_account(
    db: &mut Transaction,
    volunteer: &str,
    user: Option<UserId>,
) -> Result<(), Refused> {
    let sql = "UPDATE phone_account SET person = $2 WHERE volunteer = $1";
    let user = user.as_ref().map(|user| user.0.as_slice());
    let linked = db.execute(sql, args![volunteer, user]).await?;
    expect(linked, "a volunteer who is in no hotline file")
}
